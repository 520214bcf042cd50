"""Quartet's tasks: `./lab NAME`, or `inv NAME` where the environment is set up already."""

import atexit
import gc
import sys

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

# A task is short: looking for garbage among a thousand new classes costs more than it gives back.
gc.disable()
# Nor is it looked for at the end, which the interpreter does also when it is disabled.
atexit.register(gc.freeze)
# A thread that its machine has answered is not to wait 5 ms for one that imports, again and again.
sys.setswitchinterval(0.0005)

from provision import commands, database_tasks  # noqa: E402
from provision.console import reports_errors  # noqa: E402
from provision.system import System  # noqa: E402
from provision.task import system_task  # noqa: E402

LIMIT = "only these machines, separated by commas"


@system_task(help={"limit": LIMIT})
def up(system: System, limit: str | None = None) -> None:
    """Boot the machines, provision and verify them, and say what runs where."""
    commands.up(system, limit)


@system_task(
    help={
        "plan": "show what would change, with diffs, and change nothing",
        "limit": LIMIT,
        "only": "only these roles, separated by commas: haproxy, dns, mysql, nginx, app, web, …",
        "reclone": "replicas whose data may be replaced by the primary's, separated by commas",
    }
)
def provision(
    system: System,
    plan: bool = False,
    limit: str | None = None,
    only: str = "",
    reclone: str = "",
) -> None:
    """Bring the machines to the state that topology.yml describes; a second run changes nothing."""
    commands.provision(system, limit, only, reclone, dry_run=plan)


@system_task(
    help={
        "disruptive": "also stop and break parts of the live service, and mend them",
        "settle": "seconds to wait at most for a system that has just been started",
    }
)
def verify(system: System, disruptive: bool = False, settle: int = 0) -> None:
    """Check the live machines: services, replication, round robin, a row from door to replica."""
    commands.verify(system, disruptive=disruptive, settle_s=settle)


@system_task()
def status(system: System) -> None:
    """Say what each machine is and whether it runs."""
    commands.status(system)


@system_task(positional=["name"], help={"name": "the machine", "command": "to run"})
def ssh(system: System, name: str, command: str = "") -> None:
    """Log in to a machine, or run one command there."""
    commands.ssh(system, name, command)


@system_task(help={"limit": LIMIT, "yes": "record them without asking, as a script has to"})
def trust(system: System, limit: str | None = None, yes: bool = False) -> None:
    """Show the host keys of servers that you have, and record them once you confirm."""
    commands.trust(system, limit, yes=yes)


@system_task()
def doctor(system: System) -> None:
    """Say what is missing or won't work on this host, before anything is booted."""
    commands.doctor(system)


@system_task(help={"limit": LIMIT})
def halt(system: System, limit: str | None = None) -> None:
    """Shut machines down; `up` boots them again with all they had."""
    commands.switch(system, "halt", limit)


@system_task(help={"limit": LIMIT})
def reboot(system: System, limit: str | None = None) -> None:
    """Reboot machines. A rebooted primary stays read-only until `provision` has looked at it."""
    commands.switch(system, "reboot", limit)


@system_task(help={"limit": LIMIT})
def power_cut(system: System, limit: str) -> None:
    """Pull the plug of machines: nothing is shut down, nothing is flushed."""
    commands.switch(system, "power_cut", limit)


@system_task(help={"limit": LIMIT})
def destroy(system: System, limit: str | None = None) -> None:
    """Remove machines with all that they hold; images and fetched packages stay."""
    commands.destroy(system, limit)


@system_task(
    help={
        "events": "only these, separated by commas: switchover, mysqld-kill, power-cut, partition,"
        " replica-kill, operator-kill, disk-full",
        "writers": "how many write at the same time",
        "repeat": "how often each event happens",
        "json": "a file for the results, for programs",
        "seed": "a number for which the random moments are the same again",
        "yes": "also break servers that you have",
    }
)
def drill(
    system: System,
    *,
    events: str = "",
    writers: int = 4,
    repeat: int = 1,
    json: str = "",
    seed: int = 0,
    yes: bool = False,
) -> None:
    """Break the data tier on purpose while writers write, and account for every write."""
    commands.drill(
        system,
        events=events,
        writers=writers,
        repeat=repeat,
        json=json,
        seed=seed,
        yes=yes,
    )


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


namespace = Collection.from_module(sys.modules[__name__])
namespace.add_collection(Collection.from_module(database_tasks), name="db")
