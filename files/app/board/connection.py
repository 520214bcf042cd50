"""One connection to MySQL: bounded in time, and encrypted whenever a CA is given.

Leans on private names of PyMySQL (`_read_timeout`, `_write_timeout`, `_force_close`,
`_request_authentication`), which are the same from 1.0.2 to 1.2: there is no public way to change a
time-out after connecting, to hang up without a goodbye, nor to look at the server before the login
goes out.
"""

import ssl
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.connections import Connection as PyMySQLConnection
from pymysql.constants import CLIENT, CR
from pymysql.cursors import DictCursor

from board import fresh
from board.config import Address, Settings

# Only the type stubs know it as a generic class.
if TYPE_CHECKING:
    Base = PyMySQLConnection[DictCursor]
else:
    Base = PyMySQLConnection

CONNECT_SECONDS = 1.0
# A repeated write may meet the row that its first attempt has locked: MySQL's default is 50 s.
LOCK_WAIT_SECONDS = 2

Row = dict[str, Any]


class Connection(Base):
    """A PyMySQL connection that keeps to time and never falls back to plain text.

    `server` names the database at its other end, `opened_at` is the time.monotonic() since when.
    """

    server_capabilities: int
    server = ""
    opened_at = 0.0

    def limit(self, seconds: float) -> None:
        """Wait at most this long for each answer from now on."""
        self._read_timeout = seconds
        self._write_timeout = seconds

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement and return its rows."""
        with self.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def insert(self, statement: str, *values: object) -> int:
        """Run an INSERT and return the row's id."""
        with self.cursor() as cursor:
            cursor.execute(statement, values)
            return int(cursor.lastrowid)

    def abandon(self) -> None:
        """Close without a goodbye that could wait for a dead host."""
        self._force_close()  # type: ignore[attr-defined]

    def _request_authentication(self) -> None:
        # PyMySQL before 1.2 logs in unencrypted where the server does not offer TLS; someone in
        # between could take that offer away.
        if self.ssl and not self.server_capabilities & CLIENT.SSL:
            raise pymysql.err.OperationalError(
                CR.CR_SSL_CONNECTION_ERROR,
                f"{self.host} does not offer TLS, but DATABASE_CA is set",
            )
        super()._request_authentication()  # type: ignore[misc]


def connect(address: Address, settings: Settings, seconds: float = CONNECT_SECONDS) -> Connection:
    """Connect and log in, waiting at most so many seconds for each answer.

    Raises pymysql.err.MySQLError, also where the server's certificate is not valid for the address.
    """
    return Connection(
        host=address.host,
        port=address.port,
        user=settings.user,
        password=settings.password,
        database=settings.database,
        charset="utf8mb4",
        autocommit=True,
        cursorclass=DictCursor,
        connect_timeout=seconds,
        read_timeout=seconds,
        write_timeout=seconds,
        client_flag=fresh.CLIENT_FLAG,
        init_command=f"{fresh.INIT_COMMAND}, innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}",
        ssl=_tls(settings.ca) if settings.ca else None,
    )


def _tls(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    # On by default since Python 3.13; off, so that a CA which older machines accept works on all.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
