"""How each database is, asked directly and not through the router."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pymysql

from board.connection import Connection, Row
from board.deadline import Deadline
from board.errors import UnavailableError
from board.pool import Pool

ANSWER_SECONDS = 1.0
KEPT_SECONDS = 1.0
UNREACHABLE_SECONDS = 3.0


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


class States:
    """The states of all databases, measured at most KEPT_SECONDS ago.

    One that is unreachable is asked again after UNREACHABLE_SECONDS, so that not every page waits
    for it.
    """

    def __init__(self, servers: list[Pool]) -> None:
        self._servers = servers
        self._lock = threading.Lock()
        self._known: list[State] = []
        self._known_at = 0.0
        self._unreachable: dict[str, tuple[float, State]] = {}
        self._executor: ThreadPoolExecutor | None = None

    def now(self) -> list[State]:
        """Return them in the topology's order; all are asked at once."""
        with self._lock:
            if not self._known or time.monotonic() - self._known_at >= KEPT_SECONDS:
                self._executor = self._executor or ThreadPoolExecutor(len(self._servers), "state")
                self._known = list(self._executor.map(self._state_of, self._servers))
                self._known_at = time.monotonic()
            return self._known

    def _state_of(self, server: Pool) -> State:
        until, known = self._unreachable.get(server.name, (0.0, None))
        if known and time.monotonic() < until:
            return known
        state = state_of(server)
        if state.role == "unreachable":
            self._unreachable[server.name] = (time.monotonic() + UNREACHABLE_SECONDS, state)
        return state


def state_of(server: Pool) -> State:
    """Ask one server how it is."""
    try:
        row = server.run(_ask, Deadline(2 * ANSWER_SECONDS), ANSWER_SECONDS)
    except UnavailableError as error:
        return State(server.name, str(server.address), "unreachable", reason=str(error))
    role = "replica" if row.pop("is_read_only") else "primary"
    return State(server.name, str(server.address), role, **row)


def _ask(connection: Connection) -> Row:
    [row] = connection.rows(
        "SELECT @@hostname AS hostname, @@server_id AS server_id,"
        " @@read_only OR @@super_read_only AS is_read_only"
    )
    try:
        [newest] = connection.rows("SELECT MAX(id) AS newest_message FROM messages")
    except pymysql.err.ProgrammingError:
        return row  # the table is not there yet: not migrated, or not replicated so far
    return row | newest
