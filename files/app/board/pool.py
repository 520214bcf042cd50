"""The connections to one address, of which a few are kept open.

Behind the router's address for reading are several servers. A connection stays with the one that
it was given, so a process keeps more than one, uses them in turn, and replaces each after
OLDEST_SECONDS: reads are spread, and a replica that is back gets its share again.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import pymysql

from board.config import Address
from board.connection import CONNECT_SECONDS, Connection
from board.deadline import Deadline
from board.errors import UnavailableError, is_lost, is_read_only, words_of

IDLE_CONNECTIONS = 4
OLDEST_SECONDS = 5.0
SPREAD_READS = 4

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Connector = Callable[[float], Connection]


class Work(Protocol[Result_co]):
    """What is done with a connection."""

    def __call__(self, connection: Connection, /) -> Result_co:
        """Do it."""


class Pool:
    """One address: its open connections, at least `spread` of them where the load allows."""

    def __init__(self, name: str, address: Address, connector: Connector, spread: int = 1) -> None:
        self.name = name
        self.address = address
        self._connector = connector
        self._spread = spread
        self._open = 0
        self._idle: deque[Connection] = deque()
        self._lock = threading.Lock()

    def run(self, work: Work[Result], deadline: Deadline, seconds: float) -> Result:
        """Read on a live connection, waiting at most `seconds` for each answer.

        Raises UnavailableError when no connection can be had, when it is lost, and when this server
        can't run it (a replica may lack a table for a while).
        """
        try:
            with self.connection(deadline, seconds) as connection:
                return work(connection)
        except pymysql.err.MySQLError as error:
            raise UnavailableError(words_of(error)) from error

    @contextmanager
    def connection(self, deadline: Deadline, seconds: float) -> Iterator[Connection]:
        """Lend a connection that has just answered.

        Raises UnavailableError if there is none. After any error it is not used again; when it is
        lost, or its server takes no writes, the idle ones are dropped with it.
        """
        connection = self._live_idle(deadline) or self._connect(deadline)
        try:
            connection.limit(deadline.at_most(seconds))
            yield connection
        except BaseException as error:
            self._discard(connection)
            if is_lost(error) or is_read_only(error):
                self._drop_idle()
            raise
        self._give_back(connection)

    def _connect(self, deadline: Deadline) -> Connection:
        try:
            connection = self._connector(deadline.at_most(CONNECT_SECONDS))
        except (pymysql.err.MySQLError, OSError, RuntimeError) as error:
            self._drop_idle()
            raise UnavailableError(words_of(error)) from error
        connection.opened_at = time.monotonic()
        with self._lock:
            self._open += 1
        return connection

    def _live_idle(self, deadline: Deadline) -> Connection | None:
        """Take an idle connection; where it is dead, so are the others most likely."""
        connection = self._take_idle()
        if connection is None:
            return None
        try:
            connection.limit(deadline.at_most(CONNECT_SECONDS))
            connection.ping(reconnect=False)
        except pymysql.err.MySQLError as error:
            log.info("connection to %s: %s", self.name, words_of(error))
            self._discard(connection)
            self._drop_idle()
            return None
        return connection

    def _take_idle(self) -> Connection | None:
        oldest = time.monotonic() - OLDEST_SECONDS
        with self._lock:
            old = [each for each in self._idle if each.opened_at < oldest]
            self._idle = deque(each for each in self._idle if each not in old)
            self._open -= len(old)
            is_enough = self._idle and self._open >= self._spread
            connection = self._idle.popleft() if is_enough else None
        for each in old:
            each.abandon()
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        with self._lock:
            self._open -= 1
        connection.abandon()

    def _drop_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, deque()
            self._open -= len(idle)
        for connection in idle:
            connection.abandon()
