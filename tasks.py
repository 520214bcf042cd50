"""Quartet's tasks: `./lab NAME`, or `inv NAME` where the environment is set up already."""

import gc

from invoke.context import Context
from invoke.tasks import task

# A task is short: looking for garbage among a thousand new classes costs more than it gives back.
gc.disable()

from provision import commands  # noqa: E402
from provision.console import reports_errors  # noqa: E402

LIMIT = "only these machines, separated by commas"


@task(help={"limit": LIMIT})
@reports_errors
def up(_: Context, limit: str | None = None) -> None:
    """Boot the machines, provision and verify them, and say what runs where."""
    commands.up(limit)


@task(
    help={
        "plan": "show what would change, with diffs, and change nothing",
        "limit": LIMIT,
        "only": "only these roles, separated by commas: haproxy, dns, mysql, nginx, app, web, …",
        "reclone": "replicas whose data may be replaced by the primary's, separated by commas",
    }
)
@reports_errors
def provision(
    _: Context, plan: bool = False, limit: str | None = None, only: str = "", reclone: str = ""
) -> None:
    """Bring the machines to the state that topology.yml describes; a second run changes nothing."""
    commands.provision(limit, only, reclone, dry_run=plan)


@task(help={"disruptive": "also stop and break parts of the live service, and put them right"})
@reports_errors
def verify(_: Context, disruptive: bool = False) -> None:
    """Check the live machines: services, replication, round robin, a row from door to replica."""
    commands.verify(disruptive=disruptive)


@task
@reports_errors
def status(_: Context) -> None:
    """Say what each machine is and whether it runs."""
    commands.status()


@task(positional=["name"], optional=["command"], help={"name": "the machine", "command": "to run"})
@reports_errors
def ssh(_: Context, name: str, command: str = "") -> None:
    """Log in to a machine, or run one command there."""
    commands.ssh(name, command)


@task(help={"limit": LIMIT})
@reports_errors
def halt(_: Context, limit: str | None = None) -> None:
    """Shut machines down; `up` boots them again with all they had."""
    commands.switch("halt", limit)


@task(help={"limit": LIMIT})
@reports_errors
def reboot(_: Context, limit: str | None = None) -> None:
    """Reboot machines. A rebooted primary stays read-only until `provision` has looked at it."""
    commands.switch("reboot", limit)


@task(help={"limit": LIMIT})
@reports_errors
def power_cut(_: Context, limit: str) -> None:
    """Pull the plug of machines: nothing is shut down, nothing is flushed."""
    commands.switch("power_cut", limit)


@task(help={"limit": LIMIT})
@reports_errors
def destroy(_: Context, limit: str | None = None) -> None:
    """Remove machines with all that they hold; images and fetched packages stay."""
    commands.destroy(limit)


@task
@reports_errors
def lint(_: Context) -> None:
    """Run the formatter, the linter, the type checker and the import contracts."""
    commands.lint()


@task(help={"quick": "without the tests that boot machines"})
@reports_errors
def test(_: Context, quick: bool = False) -> None:  # noqa: PT028 a task, not a test
    """Run all tests, those on booted machines among them, after the linters."""
    commands.test(quick=quick)


@task
@reports_errors
def bench(_: Context) -> None:
    """Measure provisioning against its floors, side by side in one run; takes minutes."""
    commands.bench()
