"""The primary: takes writes, has the accounts, and waits for a replica before it acknowledges."""

from collections.abc import Mapping
from dataclasses import dataclass

from provision.errors import QuartetError
from provision.mysql import agent
from provision.mysql.accounts import DATABASE, Accounts
from provision.mysql.sql import execute
from provision.mysql.state import SERVER, DatabaseState, database_state
from provision.resources import Fact, Host, Resource, Snapshot, State, changed_keys

DRAIN_TIMEOUT_S = 60
PRIMARY_ID = "mysql primary"
AGENT_ID = "service dbagent"
SERVICE_ID = "service mysql"
"""A server that was restarted is read-only again, so its part in replication is looked at anew."""


@dataclass(frozen=True)
class Primary(Resource):
    """A server that follows nobody and takes writes, losslessly.

    It boots read-only (see files/mysql), since after a crash only a comparison with the others can
    tell whether it still is the primary; this resource is what opens it.
    """

    accounts: Accounts
    is_followed: bool
    acknowledgements: int = 1
    reclone: tuple[str, ...] = ()
    triggers = (SERVICE_ID,)

    @property
    def id(self) -> str:
        return PRIMARY_ID

    def facts(self) -> tuple[Fact, ...]:
        return (SERVER,)

    def desired(self) -> State:
        return {
            "follows": "nobody",
            "takes writes": "yes",
        } | {f"account {account.user}": account.fingerprint[:16] for account in self.accounts}

    def actual(self, snapshot: Snapshot) -> State:
        state = database_state(snapshot)
        return {
            "follows": state.source.host if state.source else "nobody",
            "takes writes": _takes_writes(state),
        } | {
            f"account {account.user}": state.accounts.get(account.key, "absent")[:16]
            for account in self.accounts
        }

    def effects(self, changes: Mapping[str, str]) -> list[str]:
        """Accounts by name, since their fingerprints say nothing to a person."""
        stale = [account.user for account in self.accounts if f"account {account.user}" in changes]
        part = {key: changes[key] for key in changes if not key.startswith("account ")}
        return [*super().effects(part), *([f"sets accounts: {', '.join(stale)}"] if stale else [])]

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        # Read anew: the server may have been restarted, read-only, since the plan was made.
        planned, changes = changes, changed_keys(self, host.read([SERVER]))
        if "follows" in changes and "follows" not in planned:
            raise QuartetError(
                host.name,
                f"was primary when this began, and follows {changes['follows']} now",
                "./lab db.status, then run it again",
            )
        stale = [account for account in self.accounts if f"account {account.user}" in changes]
        if "follows" in changes:
            promote(host)
        # While nobody follows yet, waiting for a replica would be for ever, CLONE's wait included.
        _wait_for_replicas(host, self.acknowledgements if self.is_followed else 0)
        if "takes writes" in changes:
            if self.is_followed and agent.is_there(host):
                agent.open_primary(host, self.reclone)
            else:
                _open(host)
        if stale:
            execute(
                host,
                f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4",
                *[statement for account in stale for statement in account.statements()],
            )


@dataclass(frozen=True)
class Lossless(Resource):
    """The primary acknowledges a commit only when so many replicas have it."""

    primary: str
    acknowledgements: int = 1
    triggers = (PRIMARY_ID,)

    @property
    def requires(self) -> tuple[tuple[str, str], ...]:  # type: ignore[override]
        """The primary itself, on the same machine."""
        return ((self.primary, PRIMARY_ID),)

    @property
    def id(self) -> str:
        return "mysql semi-sync"

    def facts(self) -> tuple[Fact, ...]:
        return (SERVER,)

    def desired(self) -> State:
        return {"waits for replicas": str(self.acknowledgements)}

    def actual(self, snapshot: Snapshot) -> State:
        state = database_state(snapshot)
        return {"waits for replicas": str(state.acknowledgements if state.semi_sync_source else 0)}

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        _wait_for_replicas(host, self.acknowledgements)


def _takes_writes(state: DatabaseState) -> str:
    if state.complaint:
        return f"not known: {state.complaint}"
    return "no" if state.read_only else "yes"


def _wait_for_replicas(host: Host, count: int) -> None:
    execute(
        host,
        f"SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = {max(1, count)}",
        f"SET GLOBAL rpl_semi_sync_source_enabled = {'ON' if count else 'OFF'}",
    )


def _open(host: Host) -> None:
    # super_read_only OFF leaves read_only ON, so both are said.
    execute(host, "SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")


def promote(host: Host) -> None:
    """Make a replica stop following, after it has applied all that it has received.

    RESET REPLICA ALL throws away relay logs that are not applied yet, hence the wait before it.
    """
    waited = execute(
        host,
        "STOP REPLICA IO_THREAD",
        f"SET @drain_s = {DRAIN_TIMEOUT_S}",
        "SELECT WAIT_FOR_EXECUTED_GTID_SET(received_transaction_set, @drain_s)"
        " FROM performance_schema.replication_connection_status WHERE channel_name = ''",
        timeout_s=DRAIN_TIMEOUT_S + 30,
    )
    if waited and waited[0][0] != "0":
        raise QuartetError(
            host.name,
            f"has received transactions that it did not apply within {DRAIN_TIMEOUT_S} s;"
            " it was not promoted",
            "look at its applier with `SHOW REPLICA STATUS` and run `./lab provision` again",
        )
    execute(host, "STOP REPLICA", "RESET REPLICA ALL")
