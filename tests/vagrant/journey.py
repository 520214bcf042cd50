"""What is tried with Vagrant's machines, in the order in which a person would."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.vagrant.leftovers import leftovers
from tests.vagrant.places import Scratch
from tests.vagrant.steps import StepFailedError, Steps

PROVIDER = "--provider=libvirt"
NOTHING_CHANGED = re.compile(r"^0 changed, \d+ unchanged, 0 failed$", re.MULTILINE)
BOX_S = 120
BOOT_S = 900
PROVISION_S = 2700
VERIFY_S = 600
DESTROY_S = 180


def environment(scratch: Scratch) -> Mapping[str, str]:
    """What tasks and Vagrant see: a home of their own, and nothing that asks the network."""
    return {
        **os.environ,
        "HOME": str(scratch.home),
        "VAGRANT_HOME": str(scratch.vagrant_home),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
    }


@dataclass(frozen=True)
class Journey:
    """Programs run in the clone, each as a step."""

    scratch: Scratch
    steps: Steps

    def add_box(self) -> None:
        """Give Vagrant the box."""
        self._run(BOX_S, "vagrant", "box", "add", str(self.scratch.catalog))

    def by_task(self) -> None:
        """One command for everything, then what a second run changes, then away with it."""
        self._run(BOOT_S + PROVISION_S + VERIFY_S, "./lab", "up", PROVIDER)
        self._nothing_to_do()
        self._run(DESTROY_S, "./lab", "destroy")
        self.nothing_left()

    def by_vagrant(self) -> None:
        """The classic way: Vagrant boots and removes the machines, and tasks do the rest."""
        self._run(BOOT_S, "vagrant", "up", PROVIDER)
        self._run(PROVISION_S, "./lab", "provision")
        # An emulated web machine takes a while to load the application for its first request.
        self._run(VERIFY_S, "./lab", "verify", "--settle=120")
        self._nothing_to_do()
        self._run(DESTROY_S, "vagrant", "destroy", "--force")
        self.nothing_left()

    def nothing_left(self) -> None:
        """Look for what should be gone."""
        with self.steps.step("nothing is left behind"):
            left = leftovers()
            if left:
                raise StepFailedError(", ".join(left))

    def _nothing_to_do(self) -> None:
        self._run(VERIFY_S, "./lab", "provision", expects=_changed_nothing)

    def _run(
        self, within_s: float, *argv: str, expects: Callable[[str], bool] = lambda output: True
    ) -> None:
        self.steps.run(
            " ".join(argv[:3]),
            argv,
            within_s=within_s,
            cwd=self.scratch.clone,
            env=environment(self.scratch),
            expects=expects,
        )


def _changed_nothing(output: str) -> bool:
    return bool(NOTHING_CHANGED.search(output))
