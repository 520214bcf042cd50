"""A replica: seeded by CLONE, follows the primary by GTID over verified TLS, refuses writes."""

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from provision.errors import QuartetError
from provision.mysql.accounts import Account
from provision.mysql.gtid import GtidSet
from provision.mysql.literals import literal
from provision.mysql.primary import PRIMARY_ID, SERVICE_ID
from provision.mysql.sql import execute
from provision.mysql.state import SERVER, DatabaseState, database_state
from provision.resources import Fact, Host, Resource, Snapshot, State, changed_keys
from provision.topology import Machine
from provision.waiting import wait_until

CLONE_TIMEOUT_S = 3600
RESTART_TIMEOUT_S = 120
FOLLOW_TIMEOUT_S = 60
_DOWN = "not known while it is down"
# Lost connection, server has gone away, is shutting down, or wants a supervisor to restart it.
_RESTARTED = ("ERROR 2013", "ERROR 2006", "ERROR 1053", "ERROR 3707")
# A donor serves one recipient at a time (ER_CLONE_TOO_MANY_CONCURRENT_CLONES).
_DONORS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


@dataclass(frozen=True)
class Replica(Resource):
    """A server that follows the primary and is read-only, even for administrators.

    Errant transactions are those that it has and the primary has not: rejoining would hide them,
    and cloning anew loses them, so that is done only where `reclone` allows it. `primary_uuid` and
    `primary_executed` are what the primary said of itself; empty where it didn't answer.
    """

    primary: Machine
    port: int
    authority: str
    replication: Account
    clone: Account
    primary_uuid: str = ""
    primary_executed: GtidSet = field(default_factory=GtidSet)
    reclone: bool = False
    triggers = (SERVICE_ID,)

    @property
    def requires(self) -> tuple[tuple[str, str], ...]:  # type: ignore[override]
        """The primary must be open before anybody can follow it."""
        return ((self.primary.name, PRIMARY_ID),)

    @property
    def id(self) -> str:
        return "mysql replica"

    def facts(self) -> tuple[Fact, ...]:
        return (SERVER,)

    def desired(self) -> State:
        return {
            "seeded": "yes",
            "follows": str(self.primary.address),
            "link": "TLS, verified, by GTID",
            "receives": "ON",
            "applies": "ON",
            "error": "none",
            "takes writes": "no",
            "acknowledges": "yes",
            "errant transactions": "none",
        }

    def actual(self, snapshot: Snapshot) -> State:
        state = database_state(snapshot)
        return {
            "seeded": self._seeded(state),
            "follows": state.source.host if state.source else "nobody",
            "link": self._link(state),
            "receives": state.receiver,
            "applies": state.applier,
            "error": state.error or "none",
            "takes writes": "no" if state.super_read_only else "yes",
            "acknowledges": "yes" if state.semi_sync_replica else "no",
            "errant transactions": self._errant(state),
        }

    def effects(self, changes: Mapping[str, str]) -> list[str]:
        """Above all, what becomes of its data."""
        if changes.get("seeded") == _DOWN:
            return super().effects({"seeded": _DOWN})
        if not self._is_cloned(changes):
            return super().effects(changes)
        own_data = "" if self.reclone else self._own_data(changes)
        if own_data:
            return [f"refused: {own_data}"]
        part = {key: changes[key] for key in ("follows", "takes writes") if key in changes}
        return [f"its data are replaced by a clone of {self.primary.name}", *super().effects(part)]

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        # Read anew: the server may have been restarted since the plan was made.
        now = host.read([SERVER])
        changes = changed_keys(self, now)
        if not self.reclone:
            self._refuse_to_lose_data(host, changes)
            self._refuse_to_demote(host, database_state(now))
        if self._is_cloned(changes):
            self._seed(host)
            self._follow(host)
        elif {"follows", "link", "receives", "error"} & set(changes):
            # Said again also where only the connection fails: the password may be a new one.
            self._follow(host)
        execute(
            host,
            "SET GLOBAL super_read_only = ON",
            "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
            "SET GLOBAL rpl_semi_sync_replica_enabled = ON",
            # The receiver tells its source at connection that it acknowledges: connect anew.
            *(["STOP REPLICA IO_THREAD"] if "acknowledges" in changes else []),
            *(["STOP REPLICA"] if "error" in changes else []),
            "START REPLICA",
        )
        self._await_replicating(host)

    def _seed(self, host: Host) -> None:
        """Replace all data of this server by the primary's; mysqld restarts itself in the end."""
        donor = f"{self.primary.address}:{self.port}"
        before = self._started_at(host)
        with _DONORS[self.primary.name]:
            self._clone(host, donor)
        wait_until(
            lambda: self._started_at(host) not in ("", before),
            where=host.name,
            what="mysqld is back after CLONE",
            deadline_s=RESTART_TIMEOUT_S,
            next_step=f"./lab ssh {host.name} sudo journalctl -u mysql",
        )

    def _clone(self, host: Host, donor: str) -> None:
        # Its source, if any, stays set until the clone replaces it: a server that takes writes and
        # follows nobody would pass for a second primary, were we cut off here.
        clone = (
            f"CLONE INSTANCE FROM {literal(self.clone.user)}@{literal(str(self.primary.address))}"
            f":{self.port} IDENTIFIED BY {literal(self.clone.password)} REQUIRE SSL"
        )
        try:
            execute(
                host,
                "STOP REPLICA",
                "SET GLOBAL super_read_only = OFF",
                f"SET GLOBAL clone_valid_donor_list = {literal(donor)}",
                clone,
                timeout_s=CLONE_TIMEOUT_S,
            )
        except QuartetError as error:
            # The server restarts itself at the end, so the client may lose its connection.
            if not any(sign in error.what for sign in _RESTARTED):
                execute(host, "SET GLOBAL super_read_only = ON")
                raise

    def _follow(self, host: Host) -> None:
        execute(
            host,
            "STOP REPLICA",
            "CHANGE REPLICATION SOURCE TO "
            f"SOURCE_HOST = {literal(str(self.primary.address))}, SOURCE_PORT = {self.port}, "
            f"SOURCE_USER = {literal(self.replication.user)}, "
            f"SOURCE_PASSWORD = {literal(self.replication.password)}, "
            "SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1, SOURCE_SSL_VERIFY_SERVER_CERT = 1, "
            f"SOURCE_SSL_CA = {literal(self.authority)}, "
            # A link that died silently is noticed by a missing heartbeat, not after a minute.
            "SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400, SOURCE_HEARTBEAT_PERIOD = 2",
        )

    def _await_replicating(self, host: Host) -> None:
        wait_until(
            lambda: self._is_replicating(host),
            where=host.name,
            what=f"replicates from {self.primary.name}",
            deadline_s=FOLLOW_TIMEOUT_S,
            next_step=f"./lab ssh {host.name} sudo mysql -e 'SHOW REPLICA STATUS' -E",
        )

    def _is_replicating(self, host: Host) -> bool:
        state = database_state(host.read([SERVER]))
        if state.error and state.receiver != "CONNECTING":
            raise QuartetError(
                host.name,
                f"replication from {self.primary.name} stopped: {state.error}",
                f"mend the cause, or clone it anew: `./lab provision --reclone {host.name}`",
            )
        return state.receiver == "ON" and state.applier == "ON"

    @staticmethod
    def _started_at(host: Host) -> str:
        command = "systemctl show --property=ExecMainStartTimestampMonotonic --value mysql"
        started = host.run(
            f"mysqladmin --no-defaults --user=root ping >/dev/null 2>&1 && {command} || :"
        )
        return started.strip()

    def _link(self, state: DatabaseState) -> str:
        source = state.source
        if source is None:
            return "none"
        tls = (
            ("TLS, verified" if source.verified else "TLS, not verified")
            if source.tls
            else "no TLS"
        )
        return f"{tls}, {'by GTID' if source.auto_position else 'by position'}"

    def _errant(self, state: DatabaseState) -> str:
        """What it has and the primary has not.

        The servers are read one after the other, and a semi-sync replica may be ahead of the
        primary's own commit: the primary's own transactions are never errant.
        """
        if not self.primary_uuid or state.is_blank:
            return "none"
        extra = (state.known - self.primary_executed).without_server(self.primary_uuid)
        return f"{len(extra)} ({extra})" if extra else "none"

    def _seeded(self, state: DatabaseState) -> str:
        if state.is_foreign:
            return f"no, has data of its own: {', '.join(state.schemas)}"
        if state.is_down:
            return _DOWN
        return "yes" if state.is_member else "no"

    def _is_cloned(self, changes: Mapping[str, str]) -> bool:
        """Whether all its data have to be replaced.

        That is so too where replication stopped with an error, and a new clone is allowed to mend
        that.
        """
        is_broken = self.reclone and "error" in changes
        return "seeded" in changes or "errant transactions" in changes or is_broken

    def _refuse_to_demote(self, host: Host, state: DatabaseState) -> None:
        if state.is_writable_primary:
            raise QuartetError(
                host.name,
                f"takes writes: it is primary, and {self.primary.name} was when this began",
                "./lab db.status, then run it again",
            )

    def _own_data(self, changes: Mapping[str, str]) -> str:
        """What a clone would lose; empty where that is nothing."""
        if "errant transactions" in changes:
            return (
                f"has transactions that the primary {self.primary.name} lacks:"
                f" {changes['errant transactions']}"
            )
        if changes.get("seeded", "no") not in ("no", _DOWN):
            return f"is to be a replica but is not seeded: {changes['seeded']}"
        return ""

    def _refuse_to_lose_data(self, host: Host, changes: Mapping[str, str]) -> None:
        found = self._own_data(changes)
        if found:
            raise QuartetError(
                host.name,
                f"{found}; following the primary would hide or break that, so nothing was changed",
                "save what counts of it; then replace all data of this replica by the primary's:"
                f" ./lab provision --reclone {host.name}",
            )
