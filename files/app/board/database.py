"""The databases: which one answers a read, what happens to a write, and how each of them is.

Reads go to the replicas in turn, then to the primary. A database that did not answer is left out
for DOWN_SECONDS; afterwards a thread of its own asks it again, so that a request waits for a dead
database once and not every few seconds. Writes go to the primary, once: a write whose answer was
lost may have been stored, so nothing here repeats it.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pymysql
from pymysql.constants import CR

from board.config import Address, Settings
from board.connection import CONNECT_SECONDS, Connection, Row, connect
from board.topology import Topology

ANSWER_SECONDS = 3.0
DOWN_SECONDS = 3.0
STATE_SECONDS = 1.0
IDLE_CONNECTIONS = 4

ER_SERVER_SHUTDOWN = 1053
ER_ERROR_DURING_COMMIT = 1180
ER_OPTION_PREVENTS_STATEMENT = 1290
ER_QUERY_INTERRUPTED = 1317
ER_READ_ONLY_TRANSACTION = 1792
ER_READ_ONLY_MODE = 1836
ER_RUN_HOOK_ERROR = 3100

READ_ONLY = frozenset({ER_OPTION_PREVENTS_STATEMENT, ER_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE})
# The server says these also of a commit that is already in its binary log.
LOST_AT_COMMIT = frozenset(
    {ER_SERVER_SHUTDOWN, ER_ERROR_DURING_COMMIT, ER_QUERY_INTERRUPTED, ER_RUN_HOOK_ERROR}
)
FIRST_CLIENT_ERROR, LAST_CLIENT_ERROR = CR.CR_ERROR_FIRST, 2999

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Work(Protocol[Result_co]):
    """What is done with a connection."""

    def __call__(self, connection: Connection, /) -> Result_co:
        """Do it."""


class UnavailableError(Exception):
    """A database does not answer."""


class WritesPausedError(Exception):
    """The primary did not take the write: it is certainly not stored."""


class WriteUndecidedError(Exception):
    """The answer to a write was lost: it may or may not be stored."""


@dataclass(frozen=True)
class State:
    """How a database was a moment ago; role is primary (writable), replica or unreachable."""

    name: str
    address: str
    role: str
    hostname: str | None = None
    server_id: int | None = None
    newest_message: int | None = None
    reason: str | None = None


class Server:
    """One database server: a few open connections, and whether it answered lately."""

    def __init__(
        self, name: str, address: Address, connector: Callable[[Address], Connection]
    ) -> None:
        self.name = name
        self.address = address
        self._connector = connector
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._down_until: float | None = None
        self._reason = ""

    @property
    def is_down(self) -> bool:
        """Whether it did not answer when it was last asked."""
        return self._down_until is not None

    @property
    def is_due(self) -> bool:
        """Whether it is down for so long that it should be asked again."""
        down_until = self._down_until
        return down_until is not None and time.monotonic() >= down_until

    @property
    def reason(self) -> str:
        """Say why it is down."""
        return self._reason

    def run(self, work: Work[Result], seconds: float = ANSWER_SECONDS) -> Result:
        """Do the work on a live connection.

        Raises UnavailableError when no connection can be had, when a read goes unanswered for
        `seconds`, and when this server can't run it (a replica may lack a table for a while).
        """
        connection = self.borrow()
        try:
            connection.limit(seconds)
            result = work(connection)
        except pymysql.err.MySQLError as error:
            _discard(connection)
            if is_lost(error):
                self.mark_down(error)
            raise UnavailableError(_words(error)) from error
        except BaseException:
            _discard(connection)
            raise
        self.give_back(connection)
        return result

    def borrow(self) -> Connection:
        """Take a connection that has just answered; raises UnavailableError if there is none."""
        try:
            connection = self._live_idle() or self._connector(self.address)
        except (pymysql.err.MySQLError, OSError, RuntimeError) as error:
            self.mark_down(error)
            raise UnavailableError(_words(error)) from error
        if self.is_down:
            log.warning("database %s (%s) is back", self.name, self.address)
        self._down_until = None
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        with self._lock:
            if len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        _discard(connection)

    def mark_down(self, error: Exception) -> None:
        """Leave it out for DOWN_SECONDS, and drop its connections."""
        self._reason = _words(error)
        if self._down_until is None:
            log.warning("database %s (%s) is down: %s", self.name, self.address, self._reason)
        self._down_until = time.monotonic() + DOWN_SECONDS
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            _discard(connection)

    def ask_again(self) -> None:
        """Find out in the background whether it is back."""
        with self._lock:
            if not self.is_due:
                return
            self._down_until = time.monotonic() + DOWN_SECONDS
        threading.Thread(target=self._probe, daemon=True, name=f"probe-{self.name}").start()

    def _probe(self) -> None:
        with suppress(UnavailableError):  # borrow has noted and logged it
            self.give_back(self.borrow())

    def _live_idle(self) -> Connection | None:
        """Return an open connection whose server still answers on it; raise if it hangs."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            try:
                connection.limit(CONNECT_SECONDS)
                connection.ping()
            except pymysql.err.MySQLError as error:
                _discard(connection)
                # A closed connection is worth a new one; a silent host would only cost time twice.
                if isinstance(error.__context__, TimeoutError):
                    raise
            else:
                return connection


class Databases:
    """The primary and its replicas, as one worker process sees them."""

    def __init__(self, primary: Server, replicas: list[Server]) -> None:
        self.primary = primary
        self.replicas = replicas
        self._turn = 0
        self._lock = threading.Lock()
        self._states_lock = threading.Lock()
        self._states: tuple[float, list[State]] = (0.0, [])
        self._executor: ThreadPoolExecutor | None = None

    @classmethod
    def from_settings(cls, settings: Settings, topology: Topology) -> "Databases":
        """Name the servers after their machines; connect to none of them yet."""

        def server(address: Address) -> Server:
            name = topology.name_of(address.host) or str(address)
            return Server(name, address, lambda target: connect(target, settings))

        return cls(server(settings.primary), [server(address) for address in settings.replicas])

    @property
    def servers(self) -> list[Server]:
        """All of them, the primary first; one that is named twice counts once."""
        by_address = {server.address: server for server in [*self.replicas, self.primary]}
        return sorted(by_address.values(), key=lambda server: server is not self.primary)

    def named(self, name: str) -> Server | None:
        """Find a server by its machine's name or its HOST:PORT."""
        return next((s for s in self.servers if name in (s.name, str(s.address))), None)

    def readers(self) -> list[Server]:
        """List who may be asked, best first: replicas in turn, the primary, those long silent."""
        with self._lock:
            turn, self._turn = self._turn, self._turn + 1
        first = turn % len(self.replicas) if self.replicas else 0
        servers = [*self.replicas[first:], *self.replicas[:first], self.primary]
        healthy = [server for server in servers if not server.is_down]
        due = [server for server in servers if server.is_due]
        if healthy:
            for server in due:
                server.ask_again()
        return healthy + due

    def read(self, work: Work[Result]) -> tuple[Result, Server]:
        """Read from the first that answers; raise UnavailableError if none does."""
        refusals = self._known_reasons()
        for server in self.readers():
            try:
                return server.run(work), server
            except UnavailableError as error:
                refusals[server.name] = str(error)
        raise _none_answers(refusals)

    def read_after(
        self, row_exists: Work[bool], work: Work[Result]
    ) -> tuple[Result, Server, list[Server]]:
        """Read from a replica that has a certain row, else from the primary.

        Returns the result, who gave it, and who was asked and lacked the row; the server that gave
        the result is among the latter when none that answers has the row.
        """
        refusals = self._known_reasons()
        without: list[Server] = []
        for server in self.readers():
            try:
                if server.run(row_exists):
                    return server.run(work), server, without
            except UnavailableError as error:
                refusals[server.name] = str(error)
            else:
                without.append(server)
        if not without:
            raise _none_answers(refusals)
        return without[-1].run(work), without[-1], without

    def write(self, work: Work[Result]) -> tuple[Result, Server]:
        """Write to the primary, once.

        Raises WritesPausedError when it is certainly not stored, WriteUndecidedError when maybe.
        """
        server = self.primary
        if server.is_down and not server.is_due:
            raise WritesPausedError(f"the primary {server.name} does not answer ({server.reason})")
        try:
            connection = server.borrow()
        except UnavailableError as error:
            raise WritesPausedError(
                f"the primary {server.name} does not answer ({error})"
            ) from error
        connection.limit(ANSWER_SECONDS)
        try:
            result = work(connection)
        except pymysql.err.MySQLError as error:
            _discard(connection)
            raise _failed_write(server.name, error) from error
        except BaseException:
            _discard(connection)
            raise
        server.give_back(connection)
        return result, server

    def states(self) -> list[State]:
        """Say how each database is, asked all at once and at most STATE_SECONDS ago."""
        with self._states_lock:
            asked, states = self._states
            if not states or time.monotonic() - asked >= STATE_SECONDS:
                self._executor = self._executor or ThreadPoolExecutor(len(self.servers), "state")
                states = list(self._executor.map(state_of, self.servers))
                self._states = (time.monotonic(), states)
            return states

    def _known_reasons(self) -> dict[str, str]:
        return {server.name: server.reason for server in self.servers if server.is_down}


def state_of(server: Server) -> State:
    """Ask one server how it is, unless it was silent a moment ago."""
    address = str(server.address)
    if server.is_down and not server.is_due:
        return State(server.name, address, "unreachable", reason=server.reason)
    try:
        row = server.run(_ask_state, STATE_SECONDS)
    except UnavailableError as error:
        return State(server.name, address, "unreachable", reason=str(error))
    role = "replica" if row["is_read_only"] else "primary"
    return State(
        server.name, address, role, row["hostname"], row["server_id"], row["newest_message"]
    )


def is_lost(error: pymysql.err.MySQLError) -> bool:
    """Whether the connection failed, rather than the statement."""
    code = error.args[0] if error.args else 0
    if isinstance(error, pymysql.err.InterfaceError) or not isinstance(code, int):
        return True
    return code in LOST_AT_COMMIT or FIRST_CLIENT_ERROR <= code <= LAST_CLIENT_ERROR


def _ask_state(connection: Connection) -> Row:
    [row] = connection.rows(
        "SELECT @@hostname AS hostname, @@server_id AS server_id,"
        " @@read_only OR @@super_read_only AS is_read_only, NULL AS newest_message"
    )
    try:
        [newest] = connection.rows("SELECT MAX(id) AS newest_message FROM messages")
    except pymysql.err.ProgrammingError:
        return row  # the table is not there yet: not migrated, or not replicated so far
    return row | newest


def _none_answers(refusals: dict[str, str]) -> UnavailableError:
    why = "; ".join(f"{name} ({reason})" for name, reason in sorted(refusals.items()))
    return UnavailableError(f"no database answers: {why}")


def _failed_write(
    name: str, error: pymysql.err.MySQLError
) -> WritesPausedError | WriteUndecidedError:
    log.warning("write on %s failed: %s", name, _words(error))
    if is_lost(error):
        return WriteUndecidedError(f"{name} did not confirm the write ({_words(error)})")
    if error.args[0] in READ_ONLY:
        return WritesPausedError(f"{name} is read-only at the moment")
    return WritesPausedError(f"{name} refused the write ({_words(error)})")


def _words(error: Exception) -> str:
    return str(error.args[1]) if len(error.args) > 1 else str(error) or type(error).__name__


def _discard(connection: Connection) -> None:
    """Close without a goodbye that could wait for a dead host."""
    connection._force_close()  # type: ignore[attr-defined]
