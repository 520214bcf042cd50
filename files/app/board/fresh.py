"""Fresh reads: who has written sees it in the next request, whichever replica answers.

A module to copy: it needs PyMySQL and the standard library alone. A write's GTID travels in a
signed cookie; a read waits for it, on the very connection that it then reads from.

    connect(..., autocommit=True, client_flag=fresh.CLIENT_FLAG, init_command=fresh.INIT_COMMAND)
    cookie = fresh.Cookie(secret)                    # the same secret on all web machines

    gtid = fresh.own_gtid(connection)                # straight after the INSERT
    cookie.header(fresh.merged(gtids, gtid))         # the answer's Set-Cookie

    gtids = cookie.read(environ.get("HTTP_COOKIE", ""))
    fresh.wait_for(connection, gtids, 0.5)           # False: read from the primary instead

End a transaction with `cursor.execute("COMMIT")`: PyMySQL keeps no answer of `commit()`.
"""

import hashlib
import hmac
import re
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

CLIENT_FLAG = CLIENT.SESSION_TRACK
INIT_COMMAND = "SET SESSION session_track_gtids = OWN_GTID"

COOKIE = "session_gtids"
COOKIE_SECONDS = 300
MOST_SOURCES = 4

SESSION_TRACK_GTIDS = 0x03
WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}
GTID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[1-9][0-9]{0,18}")

Gtids = tuple[str, ...]


def own_gtid(connection: "Connection[Any]") -> str | None:
    """Return the GTID of the transaction that the last statement committed, if it was one.

    PyMySQL 1.0 to 1.2 leaves the end of the server's answer unread, in `_result.message`.
    """
    result = connection._result  # type: ignore[attr-defined]
    return gtid_in(result.message or b"") if result else None


def gtid_in(rest: bytes) -> str | None:
    """Find the GTID in what follows the count of warnings in an OK packet.

    See "OK_Packet" in MySQL's client/server protocol: a text, then the session's changes, each with
    its kind; before a GTID stands a byte that says how it is encoded.
    """
    try:
        _text, rest = _string(rest)
        changes, _ = _string(rest)
        while changes:
            data, following = _string(changes[1:])
            if changes[0] == SESSION_TRACK_GTIDS:
                gtid = _string(data[1:])[0].decode()
                return gtid if GTID.fullmatch(gtid) else None
            changes = following
    except ValueError:
        return None
    return None


def merged(gtids: Gtids, gtid: str) -> Gtids:
    """Add a write to those of a session: the highest of each server is enough."""
    numbers = {source: int(number) for source, number in (each.split(":") for each in gtids)}
    source, number = gtid.split(":")
    highest = max(int(number), numbers.pop(source, 0))
    return (*(f"{s}:{n}" for s, n in numbers.items()), f"{source}:{highest}")[-MOST_SOURCES:]


def wait_for(connection: "Connection[Any]", gtids: Gtids, seconds: float) -> bool:
    """Wait until this server has applied the writes; False when it has not in that time.

    The connection's own time-out must be longer. Raises pymysql.err.MySQLError when it is lost.
    """
    statement = "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)"
    return _value(connection, statement, ",".join(gtids), seconds) == 0


def has(connection: "Connection[Any]", gtids: Gtids) -> bool:
    """Whether this server has applied the writes, without waiting."""
    statement = "SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed)"
    return _value(connection, statement, ",".join(gtids)) == 1


class Cookie:
    """The cookie that carries a session's GTIDs; what was not signed here is ignored."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def read(self, header: str) -> Gtids:
        """Return the GTIDs in a request's Cookie header."""
        pairs = (part.strip().partition("=") for part in header.split(";"))
        values = (value for name, _, value in pairs if name == COOKIE)
        return next(filter(None, map(self._checked, values)), ())

    def header(self, gtids: Gtids) -> str:
        """Return the Set-Cookie header's value; without GTIDs it deletes the cookie."""
        text = "+".join(gtids)
        value = f"{text}.{self._signature(text)}" if gtids else ""
        seconds = COOKIE_SECONDS if gtids else 0
        return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"

    def _checked(self, value: str) -> Gtids:
        text, _, signature = value.partition(".")
        gtids = tuple(text.split("+", MOST_SOURCES))
        if len(gtids) > MOST_SOURCES or not all(map(GTID.fullmatch, gtids)):
            return ()
        is_ours = hmac.compare_digest(signature.encode(), self._signature(text).encode())
        return gtids if is_ours else ()

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, f"{COOKIE}={text}".encode(), hashlib.sha256).hexdigest()


def _value(connection: "Connection[Any]", statement: str, *values: object) -> object:
    """Ask for one value; None where the server refuses the question."""
    try:
        with connection.cursor(Cursor) as cursor:
            cursor.execute(statement, values)
            [value] = cursor.fetchone() or [None]
            return value
    except pymysql.err.MySQLError:
        if connection.open:
            return None
        raise


def _string(data: bytes) -> tuple[bytes, bytes]:
    """Split off a string whose length stands before it; raises ValueError if it is cut short."""
    width = WIDTHS.get(data[0], 0) if data else 0
    start = 1 + width
    length = int.from_bytes(data[1:start] if width else data[:1], "little")
    if len(data) < start + length:
        raise ValueError("the packet ends too early")
    return data[start : start + length], data[start + length :]
