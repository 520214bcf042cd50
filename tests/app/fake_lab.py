"""A board whose databases are scripted: what a real server can't be told to do on command."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace, TracebackType
from typing import Any, cast
from urllib.parse import urlencode

import pymysql
from board.config import Address, Settings
from board.connection import Connection, Row
from board.database import Databases
from board.pool import Pool
from board.routes import Board
from board.topology import Topology
from board.web import Application

TOPOLOGY = Topology.from_json(
    {
        "domain": "foobar.com",
        "load_balancing": "active-active",
        "machines": [
            {"name": "lb-01", "address": "192.0.2.10", "roles": ["haproxy", "dns"]},
            {"name": "web-01", "address": "192.0.2.11", "roles": ["web", "primary"]},
            {"name": "web-02", "address": "192.0.2.12", "roles": ["web", "replica"]},
            {"name": "db-03", "address": "192.0.2.13", "roles": ["replica"]},
        ],
    }
)
SETTINGS = Settings(
    writes=Address("127.0.0.1", 6446),
    reads=Address("127.0.0.1", 6447),
    servers=tuple(Address(f"192.0.2.{number}", 3306) for number in (11, 12, 13)),
    database="board",
    user="board",
    password="secret",
    ca=None,
    fresh_reads=True,
    session_secret="hush",
    machine="web-01",
    release="r 1",
    topology="/nowhere",
)
LOST = pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")
REFUSED = pymysql.err.OperationalError(2003, "Can't connect to MySQL server")
READ_ONLY = pymysql.err.OperationalError(1290, "super-read-only")
SOURCE = "14e7c25a-e621-11f1-a2b5-02fc00000001"


def ok_packet(gtid: str) -> bytes:
    """The end of MySQL's answer to a write: no text, and one change of the session."""
    data = b"\0" + bytes([len(gtid)]) + gtid.encode()
    change = b"\x03" + bytes([len(data)]) + data
    return b"\0" + bytes([len(change)]) + change


@dataclass
class FakeServer:
    """Rows and GTIDs, and the errors that connecting, reading and writing shall give.

    Of `write_errors` each write takes the first; `stores_anyway`: a write is there all the same.
    """

    name: str
    is_read_only: bool = True
    rows: list[Row] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    executed: int = 0
    connect_error: Exception | None = None
    read_error: Exception | None = None
    write_error: Exception | None = None
    write_errors: list[Exception] = field(default_factory=list)
    stores_anyway: bool = False
    ping_error: Exception | None = None
    connects: int = 0
    writes: int = 0
    waits: int = 0

    def connect(self, seconds: float) -> Connection:
        assert 0 < seconds <= 1
        self.connects += 1
        if self.connect_error:
            raise self.connect_error
        connection = cast("Connection", FakeConnection(self))
        connection.server = self.name
        return connection

    def store(self, author: str, text: str, web: str, token: str) -> int:
        known = self.tokens.setdefault(token, len(self.rows) + 1)
        if known > len(self.rows):
            self.rows.append(message_row(known, author, text, web))
        self.executed += 1
        return known


@dataclass
class FakeConnection:
    """What the board uses of a connection, down to the packet that carries a GTID."""

    fake: FakeServer
    server: str = ""
    opened_at: float = 0.0
    open: bool = True
    _result: Any = None

    def limit(self, seconds: float) -> None:
        assert 0 < seconds <= 5

    def ping(self, reconnect: bool) -> None:
        assert not reconnect
        if self.fake.ping_error:
            raise self.fake.ping_error

    def abandon(self) -> None:
        self.open = False

    def cursor(self, _: object) -> "FakeCursor":
        return FakeCursor(self)

    def rows(self, statement: str, *values: object) -> list[Row]:
        if self.fake.read_error:
            raise self.fake.read_error
        rows = self.fake.rows
        if "@@server_id" in statement:
            is_read_only = int(self.fake.is_read_only)
            return [{"hostname": "h", "server_id": 1, "is_read_only": is_read_only}]
        if "MAX(id)" in statement:
            return [{"newest_message": max((row["id"] for row in rows), default=None)}]
        if "WHERE id" in statement:
            return [row for row in rows if row["id"] == values[0]]
        return list(reversed(rows))

    def insert(self, statement: str, *values: str) -> int:
        fake = self.fake
        fake.writes += 1
        error = fake.write_errors.pop(0) if fake.write_errors else fake.write_error
        if error is None or fake.stores_anyway:
            message_id = fake.store(*values)
        if error:
            raise error
        self._result = SimpleNamespace(message=ok_packet(f"{SOURCE}:{fake.executed}"))
        return message_id


@dataclass
class FakeCursor:
    """Answers the two questions of board.fresh."""

    connection: FakeConnection
    answer: int | None = None

    def __enter__(self) -> "FakeCursor":
        return self

    def __exit__(self, kind: type | None, value: object, trace: TracebackType | None) -> None:
        pass

    def execute(self, statement: str, values: tuple[str, ...]) -> None:
        fake = self.connection.fake
        if fake.read_error:
            self.connection.open = fake.read_error is not LOST
            raise fake.read_error
        has_all = all(int(each.split(":")[1]) <= fake.executed for each in values[0].split(","))
        is_wait = "WAIT_FOR_EXECUTED_GTID_SET" in statement
        fake.waits += is_wait
        self.answer = int(has_all is not is_wait)

    def fetchone(self) -> tuple[int | None]:
        return (self.answer,)


def message_row(message_id: int, *values: object) -> Row:
    author, text, web = values or ("Ada", "Hello", "web-02")
    created_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)
    return {
        "id": message_id,
        "author": author,
        "text": text,
        "web": web,
        "created_at": created_at,
    }


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookie(self) -> str:
        """What a browser sends back of Set-Cookie."""
        return self.headers.get("Set-Cookie", "").partition(";")[0]


class Router:
    """Gives connections in turn to those that it takes for usable."""

    def __init__(self, *servers: FakeServer) -> None:
        self.servers = list(servers)
        self._turn = 0
        self._lock = threading.Lock()

    def connect(self, seconds: float) -> Connection:
        if not self.servers:
            raise LOST
        with self._lock:
            self._turn += 1
            server = self.servers[(self._turn - 1) % len(self.servers)]
        return server.connect(seconds)


class Lab:
    """A primary, two replicas, the router in front of them, and a browser."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.primary = FakeServer("web-01", is_read_only=False)
        self.replicas = [FakeServer("web-02"), FakeServer("db-03")]
        self.writes = Router(self.primary)
        self.reads = Router(*self.replicas)
        self.databases = Databases.of(
            Pool("the primary's address", settings.writes, self.writes.connect),
            Pool("the replicas' address", settings.reads, self.reads.connect, spread=2),
            self._direct(settings),
        )
        self.application: Application = Board(settings, TOPOLOGY, self.databases).application()

    def _direct(self, settings: Settings) -> list[Pool]:
        connects: list[Callable[[float], Connection]] = [each.connect for each in self.servers]
        names = [each.name for each in self.servers]
        return [
            Pool(name, address, connect)
            for name, address, connect in zip(names, settings.servers, connects, strict=True)
        ]

    @property
    def servers(self) -> list[FakeServer]:
        return [self.primary, *self.replicas]

    def replicate(self) -> None:
        for replica in self.replicas:
            catch_up(replica, self.primary)

    def ask(self, method: str, target: str, body: bytes = b"", **environ: str) -> Answer:
        path, _, query = target.partition("?")
        started: list[Any] = []
        environment: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_HOST": "www.foobar.com",
            "wsgi.input": io.BytesIO(body),
            **environ,
        }

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            started.extend((status, headers))

        sent = b"".join(self.application(environment, start_response))
        return Answer(int(started[0].split()[0]), dict(started[1]), sent)

    def get(self, target: str, **environ: str) -> Answer:
        return self.ask("GET", target, b"", **environ)

    def post_form(
        self, author: str = "Ada", text: str = "Hello", nonce: str = "", **environ: str
    ) -> Answer:
        body = urlencode({"author": author, "text": text, "nonce": nonce}).encode()
        environ.setdefault("CONTENT_TYPE", "application/x-www-form-urlencoded")
        return self.ask("POST", "/messages", body, **environ)

    def post_json(self, body: bytes, **environ: str) -> Answer:
        environ.setdefault("CONTENT_TYPE", "application/json")
        return self.ask("POST", "/api/messages", body, **environ)


def catch_up(replica: FakeServer, primary: FakeServer) -> None:
    replica.rows, replica.tokens = list(primary.rows), dict(primary.tokens)
    replica.executed = primary.executed
