"""The part of the VirtualBox check that happens in a world of its own.

python -m tests.vagrant.vbox_inside SCRATCH
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from provision.lab.command import run
from provision.topology import Machine, Topology, load
from tests.vagrant import vbox_box, vbox_chroot, vbox_manage
from tests.vagrant.journey import environment
from tests.vagrant.places import Scratch
from tests.vagrant.steps import StepFailedError, Steps
from tests.vagrant.vbox_findings import Finding, find, report
from tests.vagrant.vbox_places import LOGS, programs, settings

PROVIDER = "--provider=virtualbox"
STARTS = 'Command: ["startvm", '
ENDED = "has terminated unexpectedly during startup"
NO_MODULE = "Kernel driver not installed"
FAILS = ("sh", "-c", '! "$@"', "sh")  # well is what ends badly
STEP_S = 240


def main(folder: str) -> int:
    """Go as far as possible without a machine that runs, and show what came of it."""
    scratch = Scratch(Path(folder))
    os.environ.update(_virtualbox(scratch))
    run(["ip", "link", "set", "lo", "up"])
    vbox_chroot.furnish(scratch)
    vbox_manage.install(scratch)
    steps = Steps(LOGS)
    try:
        findings = _travel(scratch, steps)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        findings = []
    steps.print_table()
    return report(findings) or int(steps.has_failed)


def _virtualbox(scratch: Scratch) -> Mapping[str, str]:
    """What VirtualBox goes by, so that everything of it lies in the scratch folder."""
    return {
        "HOME": str(scratch.home),
        "LOGNAME": "root",  # names its socket
        "VBOX_USER_HOME": str(settings(scratch)),
        "PATH": f"{programs(scratch)}:{os.environ['PATH']}",
    }


def _travel(scratch: Scratch, steps: Steps) -> list[Finding]:
    topology = load(scratch.clone / "topology.yml")
    with steps.step("a box, made by VBoxManage"):
        vbox_box.build(scratch)
    _run(scratch, steps, "vagrant", "box", "add", str(scratch.catalog))
    findings = [_bring_up(scratch, steps, topology, machine) for machine in topology.machines]
    _ask_why(scratch, steps, findings[0].name)
    _run(scratch, steps, "vagrant", "destroy", "--force")
    with steps.step("nothing is left but the master of the clones, which goes too"):
        _remove_master()
    return findings


def _bring_up(scratch: Scratch, steps: Steps, topology: Topology, machine: Machine) -> Finding:
    """One machine at a time: where the first doesn't start, Vagrant doesn't go on to the next."""
    up = ["vagrant", "up", machine.name, PROVIDER, "--no-destroy-on-error"]
    name = f"vagrant up {machine.name}, up to startvm"
    log = _run(scratch, steps, *FAILS, *up, name=name, expects=_stopped_at_start)
    with steps.step(f"showvminfo {topology.name}-{machine.name}"):
        return find(topology, machine, log, vbox_manage.noted(scratch))


def _stopped_at_start(output: str) -> bool:
    return STARTS in output and ENDED in output


def _ask_why(scratch: Scratch, steps: Steps, machine: str) -> None:
    """Make sure that it is for want of the kernel module that a machine doesn't start."""
    name = "VBoxHeadless says that the kernel module is missing"
    argv = vbox_chroot.headless(machine)
    _run(scratch, steps, *FAILS, *argv, name=name, expects=lambda output: NO_MODULE in output)


def _run(
    scratch: Scratch,
    steps: Steps,
    *argv: str,
    name: str = "",
    expects: Callable[[str], bool] = lambda output: True,
) -> str:
    return steps.run(
        name or " ".join(argv[:3]),
        argv,
        within_s=STEP_S,
        cwd=scratch.clone,
        env={**environment(scratch), "VAGRANT_LOG": "debug"},
        expects=expects,
    )


def _remove_master() -> None:
    """Remove the machine that the others were linked clones of; Vagrant keeps it with the box."""
    left = _machines()
    if len(left) != 1:
        raise StepFailedError(f"machines left: {', '.join(left)}")
    run(vbox_chroot.real("unregistervm", left[0], "--delete"))
    if _machines():
        raise StepFailedError("the master is still there")


def _machines() -> list[str]:
    listed = run(vbox_chroot.real("list", "vms")).splitlines()
    return [line.rsplit(" ", 1)[0].strip('"') for line in listed]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
