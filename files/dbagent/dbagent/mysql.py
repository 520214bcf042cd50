"""Connections to MySQL: over TLS to any server as the manager, or to the local one as root."""

import ssl
from contextlib import suppress
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from dbagent.config import Config, Peer

SOCKET = "/var/run/mysqld/mysqld.sock"
CONNECT_S = 0.5
OFF_S = 0.15
"""For how long a machine is waited for that was not reached in time over SSH either."""
ANSWER_S = 5

Row = dict[str, Any]


class Session:
    """One connection; statements run at once, and each answer is awaited for `answer_s` seconds.

    Or `patience` times as long, where machines are slow.
    """

    def __init__(
        self, connection: "pymysql.connections.Connection[DictCursor]", patience: float = 1
    ) -> None:
        self._connection = connection
        self._patience = patience

    def rows(self, statement: str, *values: object, answer_s: float = ANSWER_S) -> list[Row]:
        """Run one statement and return its rows; raises pymysql.err.MySQLError."""
        # There is no public way to change the time-out of an open connection.
        self._connection._read_timeout = answer_s * self._patience  # type: ignore[attr-defined]
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())
        except (pymysql.err.MySQLError, OSError):
            _forget_tls_errors()
            raise

    def run(self, *statements: str, answer_s: float = ANSWER_S) -> None:
        """Run statements that return nothing of interest."""
        for statement in statements:
            self.rows(statement, answer_s=answer_s)

    def value(self, statement: str, *values: object, answer_s: float = ANSWER_S) -> Any:
        """The one value that the statement returns."""
        [row] = self.rows(statement, *values, answer_s=answer_s)
        return next(iter(row.values()))

    def close(self) -> None:
        """Hang up without a goodbye, which could wait for a dead server."""
        self._connection._force_close()  # type: ignore[attr-defined]


def dial(config: Config, peer: Peer, program: str = "dbagent") -> Session:
    """Connect to a machine's server as the manager; `program` is what others see of it.

    It is the machine's kernel that takes a connection, however busy its server is: so one that is
    `off` for others too need not be waited for as long.
    """
    context = ssl.create_default_context(cafile=config.ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return Session(
        pymysql.connect(
            host=peer.address,
            port=config.mysql_port,
            user=config.manager.user,
            password=config.manager.password,
            ssl=context,
            program_name=program,
            **_common((OFF_S if peer.name in config.off else CONNECT_S) * config.patience),
        ),
        config.patience,
    )


def local(patience: float = 1) -> Session:
    """Connect to this machine's server as root, which needs no password here."""
    limits = _common(CONNECT_S * patience)
    return Session(pymysql.connect(unix_socket=SOCKET, user="root", **limits), patience)


def _forget_tls_errors() -> None:
    """Keep the thread's other connections from being taken for broken because this one is.

    OpenSSL queues its errors by thread, and Python may leave one there: then whatever connection
    has to wait for an answer next is said to have failed with it. A handshake begins by emptying
    the queue. Source: https://github.com/python/cpython/issues/148594
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="nobody").do_handshake()


def _common(connect_s: float) -> dict[str, Any]:
    return {
        "charset": "utf8mb4",
        "autocommit": True,
        "cursorclass": DictCursor,
        "connect_timeout": connect_s,
        "read_timeout": ANSWER_S,
        "write_timeout": ANSWER_S,
    }


def number_of(error: Exception) -> int:
    """MySQL's number of an error, or 0."""
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0
