"""The database servers, asked over the network as their own accounts are."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR
from pymysql.cursors import DictCursor

from checks.secret_values import SecretValues
from checks.ways import Way
from provision.topology import Machine

NAME = "app"
CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 10

Row = dict[str, Any]


@dataclass(frozen=True)
class ServerState:
    """A server's variables (lower case), status counters, and what it says of its replication."""

    variables: dict[str, str]
    status: dict[str, str]
    replication: Row = field(default_factory=dict)

    @property
    def is_writable(self) -> bool:
        """Whether it takes writes of ordinary accounts."""
        return self.variables["read_only"] == "OFF"


class Database:
    """One database server; a connection for each account, opened when it is first used."""

    def __init__(self, machine: Machine, way: Way, secrets: SecretValues) -> None:
        self.machine = machine
        self._way = way
        self._secrets = secrets
        self._open: dict[str, Connection[DictCursor]] = {}

    def connect(
        self, user: str, *, tls: bool = True, password: str | None = None
    ) -> "Connection[DictCursor]":
        """Log in over the network; its certificate must be signed by the lab's own CA.

        And be made out to the machine's address, over whatever way that is reached.
        """
        given = self._secrets.passwords[user] if password is None else password
        connection = pymysql.connect(
            host=str(self.machine.address),
            user=user,
            password=given,
            charset="utf8mb4",
            autocommit=True,
            cursorclass=DictCursor,
            read_timeout=ANSWER_TIMEOUT_S,
            write_timeout=ANSWER_TIMEOUT_S,
            ssl=self._context() if tls else None,
            ssl_disabled=not tls,
            defer_connect=True,
        )
        try:
            connection.connect(self._socket())
        except pymysql.err.OperationalError as error:
            raise self._told(error) from error
        return connection

    @contextmanager
    def session(self, user: str) -> "Iterator[Connection[DictCursor]]":
        """Lend a connection of this account that is kept for the next one, unless it broke."""
        connection = self._live(user) or self.connect(user)
        try:
            yield connection
        except pymysql.err.OperationalError:
            connection.close()
            raise
        if connection.open:
            self._open[user] = connection

    def rows(self, statement: str, *values: object, user: str = "monitor") -> list[Row]:
        """Run a statement as this account."""
        with self.session(user) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def value(self, statement: str, *values: object, user: str = "monitor") -> Any:
        """Return the first value of the first row, or None."""
        rows = self.rows(statement, *values, user=user)
        return next(iter(rows[0].values())) if rows else None

    def state(self) -> ServerState:
        """Ask how the server is; raises pymysql.err.MySQLError."""
        replication = self.rows("SHOW REPLICA STATUS")
        return ServerState(
            variables=self._pairs("SHOW GLOBAL VARIABLES"),
            status=self._pairs("SHOW GLOBAL STATUS LIKE 'Rpl%'"),
            replication=replication[0] if replication else {},
        )

    def try_state(self) -> ServerState | str:
        """Ask how the server is, or say why it does not answer."""
        try:
            return self.state()
        except (pymysql.err.MySQLError, OSError) as error:
            return words(error)

    def message(self, message_id: int) -> Row | None:
        """Return a row of the board as this server has it, read as the application."""
        rows = self.rows(
            f"SELECT author, text FROM {NAME}.messages WHERE id = %s",  # noqa: S608 a constant
            message_id,
            user="app",
        )
        return rows[0] if rows else None

    def close(self) -> None:
        """End all connections."""
        while self._open:
            self._open.popitem()[1].close()

    def _live(self, user: str) -> "Connection[DictCursor] | None":
        """Return a kept connection, unless its server was restarted since it was opened."""
        connection = self._open.pop(user, None)
        if connection is None:
            return None
        try:
            # Never by itself: it would go straight to the address.
            connection.ping(reconnect=False)
        except (pymysql.err.MySQLError, OSError):
            connection.close()
            return None
        return connection

    def _socket(self) -> socket.socket:
        try:
            opened = socket.create_connection(self._way.open(), CONNECT_TIMEOUT_S)
        except OSError as error:
            raise self._no_connection(error) from error
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def _told(self, error: pymysql.err.OperationalError) -> pymysql.err.OperationalError:
        """Return an error that says why, where the connection broke on its way."""
        broke = error_number(error) in (CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_LOST)
        complaint = self._way.complaint() if broke else ""
        return self._no_connection(complaint) if complaint else error

    def _no_connection(self, why: object) -> pymysql.err.OperationalError:
        said = f"Can't connect to MySQL server on {self.machine.address} ({why})"
        return pymysql.err.OperationalError(CR.CR_CONN_HOST_ERROR, said)

    def _pairs(self, statement: str) -> dict[str, str]:
        return {row["Variable_name"].lower(): row["Value"] for row in self.rows(statement)}

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self._secrets.ca_certificate)


def words(error: Exception) -> str:
    """Say what MySQL said, with its number."""
    if isinstance(error, pymysql.err.MySQLError) and len(error.args) > 1:
        return f"error {error.args[0]}: {error.args[1]}"
    return f"{type(error).__name__}: {error}"


def error_number(error: pymysql.err.MySQLError) -> int:
    """Return MySQL's number, or 0."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
