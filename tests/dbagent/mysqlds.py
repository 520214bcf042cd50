"""Database servers in memory: as much of MySQL as changing roles on them takes.

Replication is semi-synchronous and lossless: a commit that too few replicas have received hangs,
holds up `super_read_only = ON`, and comes through when its server is started again. What was
acknowledged to a writer is remembered, so that a test can ask whether any of it was lost.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pymysql
import pytest
from dbagent.config import Config, Peer
from dbagent.gtid import GtidSet
from dbagent.mysql import Row, Session
from dbagent.peers import Word

from tests.dbagent.fakes import Clock, address_of, config_of, gtids, uuid_of, word_from

GONE = pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")
NO_ROUTE = pymysql.err.OperationalError(2003, "Can't connect to MySQL server")
RESTARTS = pymysql.err.OperationalError(3707, "Restart server failed (no supervisor)")
LOCK_WAIT = pymysql.err.OperationalError(1205, "Lock wait timeout exceeded")
CHANGES = ("SET GLOBAL", "STOP", "START", "CHANGE", "RESET", "KILL")


class KilledError(BaseException):
    """Whoever runs the command was killed at this point."""


@dataclass
class Mysqld:
    """One server; `is_reachable` tells whether the agents' commands get through to it."""

    name: str
    is_alive: bool = True
    is_reachable: bool = True
    has_agent: bool = True
    read_only: bool = True
    super_read_only: bool = True
    executed: GtidSet = field(default_factory=GtidSet)
    received: GtidSet = field(default_factory=GtidSet)
    hanging: GtidSet = field(default_factory=GtidSet)
    purged: GtidSet = field(default_factory=GtidSet)
    source: str = ""
    receiver: str = "OFF"
    applier: str = "OFF"
    applies: bool = True
    version: str = "9.7.0"
    semi_sync_source: bool = False
    acknowledgements: int = 1
    written: int = 0
    lock: "FakeSession | None" = None

    @property
    def address(self) -> str:
        return address_of(self.name)

    @property
    def takes_writes(self) -> bool:
        return self.is_alive and not self.read_only

    def receive(self, transactions: GtidSet) -> None:
        self.received = union(self.received, transactions - self.executed)
        self.apply()

    def apply(self) -> None:
        if self.applies and self.applier == "ON":
            self.executed = union(self.executed, self.received)


def union(one: GtidSet, other: GtidSet) -> GtidSet:
    return GtidSet(f"{one},{other}")


class Mysqlds:
    """All servers, and what was said to them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.servers = {peer.name: Mysqld(peer.name) for peer in config.databases}
        self.statements: list[tuple[str, str]] = []
        self.acknowledged = GtidSet()
        self.before: Callable[[Mysqld, str], None] = lambda server, statement: None
        self.sessions: list[FakeSession] = []
        self.is_killed = False
        self.guard = threading.RLock()

    def __getitem__(self, name: str) -> Mysqld:
        return self.servers[name]

    def make_primary(self, name: str, executed: str = "") -> None:
        """Let all follow this one; all have executed the same."""
        first = self[name]
        first.read_only = first.super_read_only = False
        first.semi_sync_source = len(self.servers) > 1
        first.acknowledgements = self.config.acknowledgements
        for server in self.servers.values():
            server.executed = gtids(executed)
            if server is not first:
                server.source, server.receiver, server.applier = first.address, "ON", "ON"
        first.written = len(first.executed)

    def kill(self, name: str, *, agent: bool = True) -> None:
        """Cut the power of a machine, or end mysqld alone."""
        server = self[name]
        server.is_alive, server.lock = False, None
        server.has_agent = server.has_agent and not agent
        for each in self.servers.values():
            if each.source == server.address and each.receiver == "ON":
                each.receiver = "CONNECTING"

    def boot(self, name: str) -> None:
        """Start it again: read-only, with all commits that hung."""
        server = self[name]
        server.executed, server.hanging = union(server.executed, server.hanging), GtidSet()
        server.is_alive = server.has_agent = True
        server.read_only = server.super_read_only = True
        server.semi_sync_source = False
        self.connect(server)

    def connect(self, server: Mysqld) -> None:
        """Let its receiver, if it has one, fetch what it lacks."""
        if not server.source:
            return
        server.applier = "ON"
        [source] = [each for each in self.servers.values() if each.address == server.source]
        server.receiver = "ON" if source.is_alive else "CONNECTING"
        if source.is_alive:
            server.receive(union(source.executed, source.hanging))
            self.release(source)

    def release(self, source: Mysqld) -> None:
        """Let the commits through that hung, where enough replicas have them now."""
        if len(self.receivers(source)) >= source.acknowledgements:
            self.acknowledge(source, source.hanging)
            source.hanging = GtidSet()

    def receivers(self, source: Mysqld) -> list[Mysqld]:
        """Those that get what is committed there at once, and acknowledge it."""
        return [
            each
            for each in self.servers.values()
            if each.is_alive and each.source == source.address and each.receiver == "ON"
        ]

    def write(self, name: str) -> bool:
        """Commit one transaction; returns whether the writer was told that it is safe."""
        with self.guard:
            server = self[name]
            assert server.takes_writes
            server.written += 1
            transaction = gtids(f"{name}:{server.written}")
            receivers = self.receivers(server)
            for each in receivers:
                each.receive(transaction)
            if server.semi_sync_source and len(receivers) < server.acknowledgements:
                server.hanging = union(server.hanging, transaction)
                return False
            self.acknowledge(server, transaction)
            return True

    def acknowledge(self, server: Mysqld, transactions: GtidSet) -> None:
        server.executed = union(server.executed, transactions)
        self.acknowledged = union(self.acknowledged, transactions)

    def write_everywhere(self) -> None:
        """Somebody writes wherever a server takes it."""
        for server in self.servers.values():
            if server.takes_writes:
                self.write(server.name)

    def count_session(self, session: "FakeSession") -> int:
        self.sessions.append(session)
        return len(self.sessions) - 1

    def end_session(self, number: int) -> None:
        self.sessions[number].is_ended = True

    def dial(self, config: Config, peer: Peer, program: str = "dbagent") -> "FakeSession":
        server = self[peer.name]
        if self.is_killed:
            raise KilledError
        if not (server.is_alive and server.is_reachable):
            raise NO_ROUTE
        return FakeSession(self, server, program)

    def words(
        self, config: Config, peers: tuple[Peer, ...], answer_s: float = 0
    ) -> dict[str, Word]:
        """What the agents say of their servers."""
        servers = [self[peer.name] for peer in peers]
        return {each.name: self._word(each) for each in servers if _can_be_asked(each)}

    def _word(self, server: Mysqld) -> Word:
        # Only an agent whose server takes writes asks the others all the time.
        asking = [each for each in self.servers.values() if each.address == server.source]
        is_polled = any(each.takes_writes and each.has_agent for each in asking)
        return word_from(
            server.name,
            answers=server.is_alive,
            read_only=server.read_only,
            source=server.source,
            receiver=server.receiver,
            polled_s=0.1 if is_polled else 99.0,
            closed=not server.takes_writes,
        )

    def changes(self, name: str | None = None) -> list[str]:
        """The statements that changed something, of all servers or of one, by their beginnings."""
        return [
            _short(statement)
            for server, statement in self.statements
            if statement.startswith(CHANGES) and name in (None, server)
        ]

    def order(self, *wanted: tuple[str, str]) -> list[int]:
        """When each of these (server, beginning of a statement) was said first."""
        return [
            next(
                at
                for at, (server, statement) in enumerate(self.statements)
                if server == name and statement.startswith(beginning)
            )
            for name, beginning in wanted
        ]

    def revive(self) -> None:
        """Let somebody run a command again after one was killed; its sessions have ended."""
        self.is_killed = False
        self.before = lambda server, statement: None
        for server in self.servers.values():
            server.lock = None

    @property
    def writable(self) -> list[str]:
        return [each.name for each in self.servers.values() if each.takes_writes]

    def followers_of(self, name: str) -> set[str]:
        """Those that replicate from it without a flaw."""
        return {
            each.name
            for each in self.servers.values()
            if each.is_alive
            and each.source == self[name].address
            and (each.receiver, each.applier, each.super_read_only) == ("ON", "ON", True)
        }


def _can_be_asked(server: Mysqld) -> bool:
    return server.has_agent and server.is_reachable


def _short(statement: str) -> str:
    head, _, tail = statement.partition("SOURCE_HOST = ")
    return head + tail.partition(",")[0] if tail else statement


class FakeSession(Session):
    """A connection to one of them."""

    def __init__(self, mysqlds: Mysqlds, server: Mysqld, program: str) -> None:
        self.mysqlds = mysqlds
        self.server = server
        self.program = program
        self.closed = self.is_ended = False
        self.number = mysqlds.count_session(self)

    def rows(self, statement: str, *values: object, answer_s: float = 5) -> list[Row]:
        assert not self.closed
        with self.mysqlds.guard:
            if self.mysqlds.is_killed:
                raise KilledError
            self.mysqlds.before(self.server, statement)
            if self.is_ended or not (self.server.is_alive and self.server.is_reachable):
                raise GONE
            self.mysqlds.statements.append((self.server.name, statement))
            return self._answer(statement, values)

    def close(self) -> None:
        self.closed = True
        if self.server.lock is self:
            self.server.lock = None

    def _answer(self, statement: str, values: tuple[object, ...]) -> list[Row]:
        if "@@server_uuid AS server_uuid" in statement:
            return [self._state()]
        if "session_connect_attrs" in statement:
            return [{"attr_value": self.server.lock.program}] if self.server.lock else []
        for beginning, action in _ACTIONS.items():
            if statement.startswith(beginning):
                return [{_NAMES.get(beginning, "answer"): action(self, statement, values)}]
        raise AssertionError(f"nobody taught this server to {statement}")

    def _state(self) -> dict[str, Any]:
        server = self.server
        return {
            "server_uuid": uuid_of(server.name),
            "version": server.version,
            "super_read_only": int(server.super_read_only),
            "read_only": int(server.read_only),
            "executed": str(server.executed),
            "semi_sync_source": int(server.semi_sync_source),
            "semi_sync_clients": str(len(self.mysqlds.receivers(server))),
            "source": server.source or None,
            "received": str(server.received),
            "receiver": server.receiver,
            "receiver_error": "error connecting" if server.receiver == "CONNECTING" else None,
            "silent_s": 0,
            "travelled_s": None,
            "applier": server.applier,
            "applier_error": None,
        }

    def _clone(self, statement: str, _: object) -> None:
        address = re.search(r"FROM 'clone'@'([^']*)':3306", statement)
        assert address
        assert not self.server.super_read_only
        [donor] = [s for s in self.mysqlds.servers.values() if s.address == address[1]]
        self.server.executed, self.server.received = donor.executed, GtidSet()
        self.server.source, self.server.super_read_only = "", True
        raise RESTARTS

    def _binary_logs(self, _: str, __: object) -> str:
        return "binlog.000007"

    def _log_base(self, _: str, __: object) -> str:
        return "/var/lib/mysql/binlog"

    def _waiting(self, _: str, __: object) -> str:
        return str(len(self.server.hanging))

    def _purged(self, _: str, __: object) -> str:
        return str(self.server.purged)

    def _close_to_writes(self, _: str, __: object) -> None:
        if self.server.hanging:
            raise LOCK_WAIT
        self.server.super_read_only = self.server.read_only = True

    def _lift_super(self, _: str, __: object) -> None:
        self.server.super_read_only = False

    def _open(self, _: str, __: object) -> None:
        self.server.read_only = self.server.super_read_only = False

    def _semi_sync(self, statement: str, _: object) -> None:
        self.server.semi_sync_source = statement.endswith("ON")
        if not self.server.semi_sync_source:
            # Who waits for a replica is let go, and told that all is well.
            self.mysqlds.acknowledge(self.server, self.server.hanging)
            self.server.hanging = GtidSet()

    def _count(self, statement: str, _: object) -> None:
        self.server.acknowledgements = int(statement.rpartition(" ")[2])

    def _is_lock_held(self, _: str, __: object) -> int:
        return int(self.server.lock is self)

    def _kill(self, statement: str, _: object) -> None:
        self.mysqlds.end_session(int(statement.rpartition(" ")[2]))

    def _number(self, _: str, __: object) -> int:
        return self.number

    def _apply(self, _: str, __: object) -> None:
        self.server.applier = "ON"

    def _stop_receiving(self, _: str, __: object) -> None:
        self.server.receiver = "OFF"

    def _stop(self, _: str, __: object) -> None:
        self.server.receiver = self.server.applier = "OFF"

    def _forget(self, _: str, __: object) -> None:
        self.server.source, self.server.received = "", GtidSet()

    def _change_source(self, statement: str, _: object) -> None:
        host = re.search(r"SOURCE_HOST = '([^']*)'", statement)
        assert host
        # What was received from another source, and not applied, is thrown away.
        self.server.source, self.server.received = host[1], GtidSet()

    def _start(self, _: str, __: object) -> None:
        self.mysqlds.connect(self.server)

    def _wait(self, _: str, values: tuple[object, ...]) -> int:
        self.server.apply()
        return int(not GtidSet(str(values[0])) <= self.server.executed)

    def _take_lock(self, _: str, __: object) -> int:
        self.server.lock = self.server.lock or self
        return int(self.server.lock is self)

    def _release_lock(self, _: str, __: object) -> None:
        if self.server.lock is self:
            self.server.lock = None

    def _nothing(self, _: str, __: object) -> None:
        pass


# By what name the answer is taken, where that matters.
_NAMES = {
    "SHOW BINARY LOGS": "Log_name",
    "SELECT @@log_bin_basename": "base",
    "SELECT @@global.gtid_purged": "purged",
    "SELECT variable_value AS variable_value FROM": "variable_value",
}
# The first beginning that fits counts.
_ACTIONS: dict[str, Callable[[FakeSession, str, tuple[object, ...]], object]] = {
    "SET SESSION": FakeSession._nothing,
    "SET GLOBAL super_read_only = ON": FakeSession._close_to_writes,
    "SET GLOBAL super_read_only = OFF": FakeSession._lift_super,
    "SET GLOBAL read_only = OFF": FakeSession._open,
    "SET GLOBAL rpl_semi_sync_source_enabled": FakeSession._semi_sync,
    "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count": FakeSession._count,
    "SET GLOBAL rpl_semi_sync_replica_enabled = ON": FakeSession._nothing,
    "STOP REPLICA IO_THREAD": FakeSession._stop_receiving,
    "STOP REPLICA": FakeSession._stop,
    "RESET REPLICA ALL": FakeSession._forget,
    "CHANGE REPLICATION SOURCE TO": FakeSession._change_source,
    "START REPLICA SQL_THREAD": FakeSession._apply,
    "START REPLICA": FakeSession._start,
    "CLONE INSTANCE FROM": FakeSession._clone,
    "SET GLOBAL clone_valid_donor_list": FakeSession._nothing,
    "SHOW BINARY LOGS": FakeSession._binary_logs,
    "SELECT @@log_bin_basename": FakeSession._log_base,
    "SELECT @@global.gtid_purged": FakeSession._purged,
    "SELECT variable_value AS variable_value FROM": FakeSession._waiting,
    "SELECT CONNECTION_ID()": FakeSession._number,
    "SELECT 1": FakeSession._nothing,
    "KILL": FakeSession._kill,
    "SELECT WAIT_FOR_EXECUTED_GTID_SET": FakeSession._wait,
    "SELECT GET_LOCK": FakeSession._take_lock,
    "SELECT IS_USED_LOCK(%s) = CONNECTION_ID()": FakeSession._is_lock_held,
    "SELECT RELEASE_LOCK": FakeSession._release_lock,
}


def install(monkeypatch: pytest.MonkeyPatch, databases: int, clock: Clock) -> Mysqlds:
    """Let the agent's commands find so many servers in memory, the first one primary."""
    mysqlds = Mysqlds(config_of(databases))
    mysqlds.make_primary("db-1", "db-1:1-9")
    for module in ("lock", "survey"):
        monkeypatch.setattr(f"dbagent.{module}.dial", mysqlds.dial)
    for module in ("failover", "status"):
        monkeypatch.setattr(f"dbagent.{module}.words", mysqlds.words)
    for module in ("lock", "polling"):
        monkeypatch.setattr(f"dbagent.{module}.time", clock)
    return mysqlds
