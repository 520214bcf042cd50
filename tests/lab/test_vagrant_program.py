"""How Vagrant is spoken to."""

import pytest

from provision.lab.base import MachineState
from provision.lab.vagrant_program import state_of, target


def test_one_machine_goes_by_its_name_and_several_by_a_pattern() -> None:
    assert target(["web-01"]) == "web-01"
    assert target(["web-01", "db-03"]) == "/^(web-01|db-03)$/"


@pytest.mark.parametrize(
    ("word", "provider", "state"),
    [
        ("running", "virtualbox", MachineState.RUNNING),
        ("running", "libvirt", MachineState.RUNNING),
        ("poweroff", "virtualbox", MachineState.STOPPED),
        ("shutoff", "libvirt", MachineState.STOPPED),
        ("saved", "virtualbox", MachineState.STOPPED),
        ("aborted", "virtualbox", MachineState.STOPPED),
        ("inaccessible", "virtualbox", MachineState.STOPPED),
        ("inaccessible", "libvirt", MachineState.RUNNING),
        ("not_created", "libvirt", MachineState.ABSENT),
        ("preparing", "libvirt", MachineState.ABSENT),
        (None, "libvirt", MachineState.ABSENT),
    ],
)
def test_every_word_is_a_state(word: str | None, provider: str, state: MachineState) -> None:
    assert state_of(word, provider) is state
