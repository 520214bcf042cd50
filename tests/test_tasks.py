"""The tasks as a person runs them: help, and one clear error where something is missing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from provision import commands, provisioning
from provision.console import reports_errors
from provision.converge import Selection
from provision.errors import QuartetError
from provision.system import System
from tests.site_parts import ROOT

TASKS = {
    "bench",
    "db.backup",
    "db.backups",
    "db.failover",
    "db.rejoin",
    "db.restore",
    "db.status",
    "db.switchover",
    "db.verify-backup",
    "destroy",
    "doctor",
    "drill",
    "halt",
    "lint",
    "power-cut",
    "provision",
    "reboot",
    "ssh",
    "status",
    "test",
    "trust",
    "up",
    "verify",
}


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    """A copy of topology.yml where no lab is up."""
    text = (ROOT / "topology.yml").read_text()
    adapted = re.sub(r"(?m)^  path: files/app\b", f"  path: {ROOT}/files/app", text)
    assert adapted != text
    path = tmp_path / "topology.yml"
    path.write_text(adapted)
    return path


def _inv(*arguments: str, topology: Path | None = None) -> subprocess.CompletedProcess[str]:
    chosen = {"QUARTET_TOPOLOGY": str(topology)} if topology else {}
    inv = Path(sys.executable).with_name("inv")
    return subprocess.run(
        [str(inv), *arguments],
        cwd=ROOT,
        env=os.environ | chosen,
        capture_output=True,
        text=True,
        check=False,
    )


def test_list_names_each_task_with_a_sentence() -> None:
    done = _inv("--list")
    lines = re.findall(r"(?m)^  (\S+)\s{2,}(\S.*)$", done.stdout)
    assert done.returncode == 0
    assert {name for name, _ in lines} >= TASKS
    assert all(sentence for _, sentence in lines)


def test_provision_before_up_is_one_clear_error(topology: Path) -> None:
    done = _inv("provision", topology=topology)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: the lab: is not up")
    assert lines[1:] == ["  next: ./lab up"]
    assert not (topology.parent / ".quartet" / "secrets.json").exists()


def test_wrong_topology_shows_every_mistake_at_once(topology: Path) -> None:
    text = topology.read_text()
    text = text.replace("192.168.56.12", "192.168.57.12").replace(
        "[haproxy, dns]", "[haproxi, dns]"
    )
    topology.write_text(text)
    done = _inv("provision", topology=topology)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "machines.web-02.address" in done.stderr
    assert "haproxi" in done.stderr
    assert "next: correct" in done.stderr


class TestInProcess:
    """The same without the price of a process each."""

    @pytest.fixture
    def system(self, topology: Path) -> System:
        return System(str(topology))

    @pytest.mark.parametrize(
        "provision",
        [
            lambda system, names: commands.provision(system, limit=names),
            lambda system, names: commands.provision(system, reclone=names),
        ],
        ids=["limit", "reclone"],
    )
    def test_unknown_machine_is_named_with_those_there_are(
        self, provision: Callable[[System, str], None], system: System, topology: Path
    ) -> None:
        with pytest.raises(QuartetError) as caught:
            provision(system, "web-01, web-9")
        assert caught.value.what == "no machine is called 'web-9'"
        assert caught.value.next_step == "pick one of lb-01, web-01, web-02, db-03"
        assert not (topology.parent / ".quartet").exists()

    @pytest.mark.parametrize("action", ["halt", "reboot", "power_cut"])
    def test_no_machine_is_switched_for_a_name_that_does_not_exist(
        self, action: str, system: System
    ) -> None:
        with pytest.raises(QuartetError, match="no machine is called 'nope'"):
            commands.switch(system, action, "nope")

    def test_ssh_before_up_says_what_to_run(self, system: System) -> None:
        with pytest.raises(QuartetError, match="web-01: the lab is not up") as caught:
            commands.ssh(system, "web-01", "")
        assert caught.value.next_step == "./lab up"

    def test_ssh_to_an_unknown_machine_is_refused(self, system: System) -> None:
        with pytest.raises(QuartetError, match="no machine is called 'nope'"):
            commands.ssh(system, "nope", "")

    def test_ssh_uses_the_labs_own_configuration(
        self, system: System, topology: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = topology.parent / ".quartet" / "ssh_config"
        config.parent.mkdir()
        config.touch()
        ran: list[list[str]] = []
        monkeypatch.setattr(os, "execvp", lambda program, argv: ran.append(argv))
        commands.ssh(system, "web-01", "")
        commands.ssh(system, "web-01", "echo 'a b' && id")
        head = ["ssh", "-F", str(config), "web-01"]
        assert ran == [head, [*head, "echo 'a b' && id"]]

    def test_verify_that_fails_is_an_error(
        self, system: System, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[list[str]] = []

        def run(command: list[str]) -> int:
            seen.append(command)
            return len(seen) - 1

        monkeypatch.setattr(commands, "run_to_its_end", run)
        commands.verify(system, disruptive=False)
        with pytest.raises(QuartetError, match="not everything is as it should be"):
            commands.verify(system, disruptive=True)
        assert ["--disruptive" in command for command in seen] == [False, True]


@pytest.mark.parametrize("role", ["haproxi", "", "MySQL"])
def test_unknown_role_is_named_with_those_there_are(role: str) -> None:
    with pytest.raises(QuartetError) as caught:
        provisioning.selection((), ("mysql", role), ())
    assert caught.value.what == f"no role is called {role!r}"
    assert "haproxy" in caught.value.next_step
    assert "replica" in caught.value.next_step


def test_selection_without_names_is_everything() -> None:
    chosen = provisioning.selection((), (), ())
    assert chosen == Selection()
    assert chosen.has("any")
    assert not Selection(machines=("web-01",)).has("web-02")


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (QuartetError("web-01", "broke", "mend"), 1, "error: web-01: broke\n  next: mend"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_task_ends_with_a_message_and_a_status(
    raised: BaseException, code: int, message: str
) -> None:
    @reports_errors
    def task() -> None:
        raise raised

    with pytest.raises(Exit) as caught:
        task()
    assert caught.value.code == code
    assert str(caught.value.message).startswith(message)


def test_task_with_a_mistake_of_our_own_keeps_its_traceback() -> None:
    @reports_errors
    def task() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        task()
