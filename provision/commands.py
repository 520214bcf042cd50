"""What the tasks do, in paragraphs: each is a short list of the library's own steps.

What takes long to import is imported in the functions that need it: `inv provision` with nothing to
do spends most of its time on imports, and does these while its connections are being made.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from provision.child import run_to_its_end
from provision.console import say
from provision.errors import QuartetError
from provision.lab import MachineState, current_ssh_config, refuse_a_second
from provision.lab.client import make_folder
from provision.lab.lock import lab_lock
from provision.system import System, split

if TYPE_CHECKING:
    from provision.backups import Backups
    from provision.database import Databases

SETTLE_S = 60
CONNECT_S = 3
"""What is done about a dead database does not wait for it as long as provisioning does."""


def up(system: System, limit: str | None) -> None:
    """Boot, provision, verify; then say what runs where."""
    from provision import overview, roles  # noqa: PLC0415

    machines = system.limited_to(limit)
    refuse_a_second(system.topology, system.provider)
    lab = system.lab(roles.packages(system.topology))
    lab.up(machines)
    provision(system, limit=limit)
    away = [name for name, state in lab.status().items() if state is not MachineState.RUNNING]
    if away:
        say(f"not verified: {', '.join(away)} is not running (`./lab up` boots a lab's machines)")
    else:
        verify(system, disruptive=False, settle_s=SETTLE_S * system.topology.patience)
    overview.print_system(system.topology)


def provision(
    system: System,
    limit: str | None = None,
    only: str = "",
    reclone: str = "",
    *,
    dry_run: bool = False,
) -> None:
    """Bring machines to their desired state, or only show what that would change."""
    machines, replicas = system.limited_to(limit) or (), system.named(reclone)
    if only:
        # Before anybody is asked for a password.
        from provision import provisioning  # noqa: PLC0415

        provisioning.selection(machines, split(only), replicas)
    make_folder(system.folder)
    with lab_lock(system.folder / "provision.lock", "provision"), system.fleet() as fleet:
        from provision import provisioning  # noqa: PLC0415

        selection = provisioning.selection(machines, split(only), replicas)
        run = provisioning.show if dry_run else provisioning.apply
        run(system.topology, system.folder / "secrets.json", fleet, selection)


def verify(system: System, *, disruptive: bool, settle_s: int = 0) -> None:
    """Run the checks against the live machines; QuartetError where one fails."""
    topology = system.topology
    command = [sys.executable, "-m", "pytest", "checks", "-q", "--no-header", "--tb=no"]
    command += ["-p", "no:cacheprovider", "--topology", str(topology.path)]
    command += ["--lab-dir", str(system.folder)]
    command += ["--settle", str(settle_s), *(["--disruptive"] if disruptive else [])]
    current_ssh_config(topology, say=say, provider=system.provider)
    password = _sudo_password(system)
    if password is None:
        status = run_to_its_end(command)
    else:
        status = _run_with_secret(command, "--sudo-password-fd", password)
    if status != 0:
        raise QuartetError("verify", "not everything is as it should be", "see the table above")


@contextmanager
def databases(system: System) -> Iterator["Databases"]:
    """The data tier, connected to."""
    from provision.database import Databases  # noqa: PLC0415

    with system.fleet(CONNECT_S) as fleet:
        yield Databases(system.topology, fleet, system.folder)


@contextmanager
def backups(system: System) -> Iterator["Backups"]:
    """The backups of the data tier, its machines connected to."""
    from provision.backups import Backups  # noqa: PLC0415

    with system.fleet() as fleet:
        yield Backups(system.topology, fleet, system.folder)


def database_status(system: System) -> None:
    """One line a database server."""
    from provision.database_table import print_databases  # noqa: PLC0415

    with databases(system) as each:
        print_databases(each.status())


def status(system: System) -> None:
    """One line a machine."""
    from provision import overview  # noqa: PLC0415

    overview.print_status(system.topology, system.lab().status())


def ssh(system: System, name: str, command: str) -> None:
    """Replace this process by ssh, with the lab's own key and known hosts."""
    machine = system.topology.machine(name)
    config = current_ssh_config(system.topology, say=say, provider=system.provider)
    if not config.exists():
        raise QuartetError(name, "the lab is not up: it has no ssh_config", "./lab up")
    argv = ["ssh", "-F", str(config), machine.name, *([command] if command else [])]
    os.execvp(argv[0], argv)  # noqa: S606


def trust(system: System, limit: str | None, *, yes: bool) -> None:
    """Show the machines' host keys and record them once they are confirmed."""
    from provision import trusting  # noqa: PLC0415

    machines = system.limited_to(limit)
    trusting.trust(system.topology, system.lab(), system.access, machines, yes=yes)


def doctor(system: System) -> None:
    """Say what is missing on this host; QuartetError where the machines can't run like that."""
    from provision.doctor import examine, has_error, print_findings  # noqa: PLC0415

    topology = system.topology
    logins = [topology.ssh, *[machine.ssh for machine in topology.machines]]
    findings = examine(topology, system.provider, keys=[each.key for each in logins if each.key])
    print_findings(findings)
    if has_error(findings):
        raise QuartetError("this host", "is not ready", "mend what it says above")


def switch(system: System, action: str, limit: str | None) -> None:
    """Halt, reboot or cut the power of machines, as the lab's method is called."""
    getattr(system.lab(), action)(system.limited_to(limit))
    status(system)


def destroy(system: System, limit: str | None) -> None:
    """Remove machines; with the last one goes all that was made for them."""
    system.lab().destroy(system.limited_to(limit))
    if limit is None:
        (system.folder / "databases-founded").unlink(missing_ok=True)
    say("destroyed; images and fetched packages are kept for the next `./lab up`")


def drill(
    system: System, *, events: str, writers: int, repeat: int, json: str, seed: int, yes: bool
) -> None:
    """Let faults happen under load, and show what became of every write."""
    from provision import drill  # noqa: PLC0415

    topology = system.topology
    wish = drill.wish(
        topology,
        events=split(events),
        writers=writers,
        repeat=repeat,
        json=json,
        seed=seed,
        yes=yes,
    )
    config = current_ssh_config(topology, say=say, provider=system.provider)
    if not config.exists():
        raise QuartetError("the lab", "is not up: it has no ssh_config", "./lab up")
    about = ["--topology", str(topology.path), "--provider", system.provider]
    drill.run(topology, config, system.lab(), about, wish)


def lint() -> None:
    """Formatter, linter, type checker, import contracts; QuartetError at the first that objects."""
    for tool in (
        ["ruff", "format", "--check", "--quiet", "."],
        ["ruff", "check", "--quiet", "."],
        ["mypy"],
        ["lint-imports", "--no-logo"],
    ):
        say(f"$ {shlex.join(tool)}")
        command = [str(Path(sys.executable).parent / tool[0]), *tool[1:]]
        if run_to_its_end(command) != 0:
            raise QuartetError(tool[0], "objects", "see what it says above")


def test(*, quick: bool) -> None:
    """Lint, then run pytest; its closing line is the last that is printed when all is well."""
    lint()
    command = [sys.executable, "-m", "pytest", *(["-m", "not e2e"] if quick else [])]
    if run_to_its_end(command) != 0:
        raise QuartetError("test", "some tests failed", "see above")


def bench() -> None:
    """Run the benchmarks in a process of their own, so that nothing is warm from this one."""
    if run_to_its_end([sys.executable, "-m", "bench"]) != 0:
        raise QuartetError("bench", "did not finish", "see above")


def _sudo_password(system: System) -> str | None:
    """What sudo wants on servers that exist already; None where it wants nothing."""
    if system.access.sudo is None:
        return None
    if system.access.sudo.known is None:
        with system.fleet() as fleet:
            fleet.connect()
    return system.access.sudo.known


def _run_with_secret(command: list[str], option: str, secret: str) -> int:
    """Run a command that reads a secret from a pipe: neither its arguments nor its environment."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as pipe:
            pipe.write(secret)
        return run_to_its_end([*command, option, str(reading)], pass_fds=[reading])
    finally:
        os.close(reading)
