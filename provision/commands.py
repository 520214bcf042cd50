"""What the tasks do, in paragraphs: each is a short list of the library's own steps."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from provision import roles
from provision.apply import Outcome
from provision.console import say
from provision.converge import Convergence, Selection, Survey
from provision.diffs import file_diffs
from provision.errors import QuartetError
from provision.lab import Lab, MachineState, open_lab
from provision.lab.lock import lab_lock
from provision.report import LiveProgress, print_outcomes, print_plan, summary
from provision.secrets import SecretStore
from provision.topology import Role, Topology, load

ROOT = Path(__file__).parent.parent
_WIDTH_OF_LOGS = 120


def up(machines: Sequence[str] | None) -> None:
    """Boot, provision, verify; then say what runs where."""
    lab = _lab(with_packages=True)
    _check_names(machines)
    lab.up(machines)
    provision(Selection(machines=tuple(machines or ())))
    verify(disruptive=False)
    _print_system()


def provision(selected: Selection) -> None:
    """Apply what is missing; QuartetError tells at the end that something failed."""
    _check_names(selected.machines)
    with _provision_lock(), _convergence(selected, SecretStore(_secrets_path())) as convergence:
        survey = convergence.survey()
        started = convergence.start_databases(survey)
        if started:
            say(f"started MySQL on {', '.join(started)}, to ask it who is primary")
            survey = convergence.survey()
        outcomes = _apply(convergence, survey)
    print_outcomes(_console(), outcomes)
    say(summary(outcomes))
    _raise_if_failed(outcomes)


def plan(selected: Selection) -> None:
    """Show what provisioning would change; nothing is written, here or on a machine."""
    _check_names(selected.machines)
    secrets = SecretStore(_secrets_path(), keep=False)
    with _convergence(selected, secrets) as convergence:
        survey = convergence.survey()
        chosen = [each for each in survey.plans.values() if selected.has(each.machine)]
        for each in chosen:
            print_plan(_console(), each, file_diffs(survey.hosts[each.machine], each.steps))
        failures = [*survey.failures.values(), *([survey.undecided] if survey.undecided else [])]
    say(f"plan: {sum(len(each.steps) for each in chosen)} to change")
    if failures:
        raise QuartetError("plan", "not complete\n" + "\n".join(map(str, failures)))


def verify(*, disruptive: bool) -> None:
    """Run the checks against the live machines; QuartetError where one fails."""
    command = [sys.executable, "-m", "pytest", "checks", "-q", "--no-header", "--tb=no"]
    command += ["-p", "no:cacheprovider", "--topology", str(_topology().path)]
    command += ["--disruptive"] if disruptive else []
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise QuartetError("verify", "not everything is as it should be", "see the table above")


def status() -> None:
    """One line a machine."""
    states = _lab().status()
    table = _table("machine", "address", "roles", "state")
    for machine in _topology().machines:
        state = states[machine.name]
        style = "green" if state is MachineState.RUNNING else "yellow"
        table.add_row(
            machine.name, str(machine.address), ", ".join(machine.roles), f"[{style}]{state}[/]"
        )
    _console().print(table)


def ssh(name: str, command: str) -> None:
    """Replace this process by ssh, with the lab's own key and known hosts."""
    machine = _topology().machine(name)
    config = _lab_folder() / "ssh_config"
    if not config.exists():
        raise QuartetError(name, "the lab is not up: it has no ssh_config", "./lab up")
    argv = ["ssh", "-F", str(config), machine.name, *([command] if command else [])]
    os.execvp(argv[0], argv)  # noqa: S606


def switch(action: str, machines: Sequence[str] | None) -> None:
    """Halt, reboot or cut the power of machines, as the lab's method is called."""
    _check_names(machines)
    getattr(_lab(), action)(machines)
    status()


def destroy() -> None:
    """Remove the machines; what was made for them alone goes along."""
    _lab().destroy()
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


def bench(*, fresh: bool) -> None:
    """Run the benchmarks in a process of their own, so that nothing is warm from this one."""
    command = [sys.executable, "-m", "bench", *(["--fresh"] if fresh else [])]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise QuartetError("bench", "did not finish", "see above")


def names(text: str) -> tuple[str, ...] | None:
    """Read a list of names from the command line; None where there is none."""
    return tuple(filter(None, (part.strip() for part in text.split(",")))) or None


def selection(limit: str, only: str, reclone: str) -> Selection:
    """Read what a run may change from the command line."""
    chosen = names(only) or ()
    unknown = sorted(set(chosen) - set(roles.names()))
    if unknown:
        raise QuartetError(
            "--only", f"no role is called {unknown[0]!r}", f"pick from {', '.join(roles.names())}"
        )
    replicas = names(reclone)
    _check_names(replicas)
    return Selection(names(limit) or (), chosen, frozenset(replicas or ()))


def _apply(convergence: Convergence, survey: Survey) -> list[Outcome]:
    with LiveProgress(_console(), survey.plans) as progress:
        return convergence.apply(survey, progress)


def _raise_if_failed(outcomes: Sequence[Outcome]) -> None:
    failed = [each.machine for each in outcomes if each.failed or each.skipped]
    if failed:
        raise QuartetError(
            ", ".join(failed), "not finished", "mend what is said above and run it again"
        )


def _print_system() -> None:
    topology = _topology()
    table = _table("machine", "address", "what runs there")
    for machine in topology.machines:
        table.add_row(machine.name, str(machine.address), ", ".join(_services(machine.roles)))
    balancer = topology.with_role(Role.HAPROXY)[0].address
    name_server = topology.with_role(Role.DNS)[0].address
    console = _console()
    console.print()
    console.print(table)
    console.print(
        f"\nopen        [bold]http://{balancer}/[/]\n"
        f"statistics  http://{balancer}:{topology.ports.haproxy_stats}/\n"
        f"DNS         dig @{name_server} www.{topology.domain}",
        highlight=False,
    )


def _services(machine_roles: Sequence[Role]) -> list[str]:
    says = {
        Role.HAPROXY: ["HAProxy"],
        Role.DNS: ["NSD (DNS)"],
        Role.WEB: ["Nginx", "gunicorn with the application"],
        Role.PRIMARY: ["MySQL"],
        Role.REPLICA: ["MySQL"],
    }
    return [service for role in machine_roles for service in says[role]]


@contextmanager
def _provision_lock() -> Iterator[None]:
    with lab_lock(_lab_folder() / "provision.lock", "provision"):
        yield


def _convergence(selected: Selection, secrets: SecretStore) -> Convergence:
    lab = _lab()
    known_hosts = _lab_folder() / "known_hosts"
    if not known_hosts.exists():
        raise QuartetError("the lab", "is not up: no machine has been booted", "./lab up")
    return Convergence(_topology(), secrets, lab.endpoint, known_hosts, selected)


@cache
def _topology() -> Topology:
    return load(Path(os.environ.get("QUARTET_TOPOLOGY", ROOT / "topology.yml")))


def _lab(*, with_packages: bool = False) -> Lab:
    topology = _topology()
    return open_lab(topology, say=say, packages=roles.packages(topology) if with_packages else ())


def _lab_folder() -> Path:
    return _topology().path.parent / ".quartet"


def _secrets_path() -> Path:
    return _lab_folder() / "secrets.json"


def _check_names(machines: Sequence[str] | None) -> None:
    for name in machines or ():
        _topology().machine(name)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


@cache
def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_LOGS)
