"""What the tasks do, in paragraphs: each is a short list of the library's own steps.

What takes long to import is imported in the functions that need it: `inv provision` with nothing to
do spends most of its time on imports, and does these while its connections are being made.
"""

import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

from provision.connection import endpoints
from provision.console import say
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.lab import Lab, open_lab
from provision.lab.lock import lab_lock
from provision.topology import Topology, load

ROOT = Path(__file__).parent.parent
SETTLE_S = 20


def up(limit: str | None) -> None:
    """Boot, provision, verify; then say what runs where."""
    from provision import overview, roles  # noqa: PLC0415

    topology = _topology()
    machines = _limited_to(limit)
    lab = open_lab(topology, say=say, packages=roles.packages(topology))
    lab.up(machines)
    provision(limit=limit)
    away = [name for name, state in lab.status().items() if state != "running"]
    if away:
        say(f"not verified: {', '.join(away)} is not running; ./lab up boots everything")
    else:
        verify(disruptive=False, settle_s=SETTLE_S)
    overview.print_system(topology)


def provision(
    limit: str | None = None, only: str = "", reclone: str = "", *, dry_run: bool = False
) -> None:
    """Bring machines to their desired state, or only show what that would change."""
    machines, replicas = _limited_to(limit) or (), _named(reclone)
    _lab_folder().mkdir(mode=0o700, exist_ok=True)
    with lab_lock(_lab_folder() / "provision.lock", "provision"), _fleet() as fleet:
        from provision import provisioning  # noqa: PLC0415

        selection = provisioning.selection(machines, _split(only), replicas)
        run = provisioning.show if dry_run else provisioning.apply
        run(_topology(), _secrets_path(), fleet, selection)


def verify(*, disruptive: bool, settle_s: int = 0) -> None:
    """Run the checks against the live machines; QuartetError where one fails."""
    command = [sys.executable, "-m", "pytest", "checks", "-q", "--no-header", "--tb=no"]
    command += ["-p", "no:cacheprovider", "--topology", str(_topology().path)]
    command += ["--settle", str(settle_s), *(["--disruptive"] if disruptive else [])]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise QuartetError("verify", "not everything is as it should be", "see the table above")


def status() -> None:
    """One line a machine."""
    from provision import overview  # noqa: PLC0415

    overview.print_status(_topology(), _lab().status())


def ssh(name: str, command: str) -> None:
    """Replace this process by ssh, with the lab's own key and known hosts."""
    machine = _topology().machine(name)
    config = _lab_folder() / "ssh_config"
    if not config.exists():
        raise QuartetError(name, "the lab is not up: it has no ssh_config", "./lab up")
    argv = ["ssh", "-F", str(config), machine.name, *([command] if command else [])]
    os.execvp(argv[0], argv)  # noqa: S606


def switch(action: str, limit: str | None) -> None:
    """Halt, reboot or cut the power of machines, as the lab's method is called."""
    getattr(_lab(), action)(_limited_to(limit))
    status()


def destroy(limit: str | None) -> None:
    """Remove machines; with the last one goes all that was made for them."""
    _lab().destroy(_limited_to(limit))
    if limit is None:
        (_lab_folder() / "databases-founded").unlink(missing_ok=True)
    say("destroyed; images and fetched packages are kept for the next `./lab up`")


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
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            raise QuartetError(tool[0], "objects", "see what it says above")


def test(*, quick: bool) -> None:
    """Lint, then run pytest; its closing line is the last that is printed when all is well."""
    lint()
    command = [sys.executable, "-m", "pytest", *(["-m", "not e2e"] if quick else [])]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise QuartetError("test", "some tests failed", "see above")


def bench() -> None:
    """Run the benchmarks in a process of their own, so that nothing is warm from this one."""
    if subprocess.run([sys.executable, "-m", "bench"], cwd=ROOT, check=False).returncode != 0:
        raise QuartetError("bench", "did not finish", "see above")


def _fleet() -> Fleet:
    names = [machine.name for machine in _topology().machines]
    reached = endpoints(_lab_folder() / "ssh_config", names)
    return Fleet(reached, _lab_folder() / "known_hosts")


@cache
def _topology() -> Topology:
    return load(Path(os.environ.get("QUARTET_TOPOLOGY", ROOT / "topology.yml")))


def _lab() -> Lab:
    return open_lab(_topology(), say=say)


def _lab_folder() -> Path:
    return _topology().path.parent / ".quartet"


def _secrets_path() -> Path:
    return _lab_folder() / "secrets.json"


def _limited_to(limit: str | None) -> tuple[str, ...] | None:
    """The machines that --limit names, None without it; naming nobody does not mean everybody."""
    if limit is None:
        return None
    machines = _named(limit)
    if not machines:
        raise QuartetError("--limit", "names no machine", "leave it out to mean all of them")
    return machines


def _named(text: str) -> tuple[str, ...]:
    """Machines that were named on the command line; QuartetError for one that doesn't exist."""
    return tuple(_topology().machine(name).name for name in _split(text))


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))
