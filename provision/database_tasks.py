"""The tasks of the data tier: `./lab db.NAME`."""

from provision import commands
from provision.system import System
from provision.task import system_task


@system_task()
def status(system: System) -> None:
    """Show who is primary, what each server lacks, and who would be promoted."""
    commands.database_status(system)


@system_task(help={"to": "the machine that is to be primary; default: the best replica"})
def switchover(system: System, to: str = "") -> None:
    """Make another server primary, as planned: nothing is lost, writers wait for a moment."""
    with commands.databases(system) as databases:
        databases.switchover(to)


@system_task()
def failover(system: System) -> None:
    """Promote the replica that has most, in the place of a primary that is dead or cut off."""
    with commands.databases(system) as databases:
        databases.failover()


@system_task(positional=["name"], help={"name": "the machine"})
def rejoin(system: System, name: str) -> None:
    """Let a server that was away, or was primary, follow the primary again."""
    system.topology.machine(name)
    with commands.databases(system) as databases:
        databases.rejoin(name)


@system_task()
def backup(system: System) -> None:
    """Dump the databases now, from a replica, encrypted, and copy that and the binary logs here."""
    with commands.backups(system) as backups:
        backups.backup()


@system_task()
def backups(system: System) -> None:
    """List the backups: when, of what machine, where they are, whether one was verified."""
    with commands.backups(system) as found:
        found.list()


@system_task(
    help={
        "at": "'2026-11-21 18:00:00': what was committed before; your time zone, or a ' UTC' added",
        "before-gtid": "UUID:NUMBER, the first transaction that is not to be there",
        "on": "the database machine to restore on; default: a replica",
        "keep": "leave the restored server running, to look into it",
        "drop": "only remove a restored server that was kept",
        "to-primary": "put it in the place of the live databases, on the primary's machine or --on",
        "replace": "do that even where a server still has data, which are kept beside the new ones",
    }
)
def restore(
    system: System,
    at: str = "",
    before_gtid: str = "",
    on: str = "",
    *,
    keep: bool = False,
    drop: bool = False,
    to_primary: bool = False,
    replace: bool = False,
) -> None:
    """Restore into a server of its own beside a live one; without a moment: the newest state."""
    with commands.backups(system) as backups:
        if drop:
            backups.drop()
        elif to_primary:
            backups.restore_to_primary(at, before_gtid, on, replace=replace)
        else:
            backups.restore(at, before_gtid, on, keep=keep)


@system_task()
def verify_backup(system: System) -> None:
    """Restore the newest backup, carry it on to a live server's state, and compare all tables."""
    with commands.backups(system) as backups:
        backups.verify()
