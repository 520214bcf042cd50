"""A board whose databases are scripted: what a real server can't be told to do on command."""

import io
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

import pymysql
from board.config import Address, Settings
from board.connection import Connection, Row
from board.database import Databases, Server
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
    primary=Address("192.0.2.11", 3306),
    replicas=(Address("192.0.2.12", 3306), Address("192.0.2.13", 3306)),
    database="board",
    user="board",
    password="secret",
    ca=None,
    machine="web-01",
    release="r 1",
    topology="/nowhere",
)
LOST = pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")
REFUSED = pymysql.err.OperationalError(2003, "Can't connect to MySQL server")


@dataclass
class FakeServer:
    """Rows, and the errors that connecting, reading and writing shall give."""

    is_read_only: bool = True
    rows: list[Row] = field(default_factory=list)
    connect_error: Exception | None = None
    read_error: Exception | None = None
    write_error: Exception | None = None
    ping_error: Exception | None = None
    connects: int = 0
    writes: int = 0
    may_connect: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_connect.set()

    def connect(self, _: Address) -> Connection:
        self.connects += 1
        assert self.may_connect.wait(5)
        if self.connect_error:
            raise self.connect_error
        return cast("Connection", FakeConnection(self))


@dataclass
class FakeConnection:
    server: FakeServer

    def limit(self, seconds: float) -> None:
        assert 0 < seconds <= 5

    def ping(self) -> None:
        if self.server.ping_error:
            raise self.server.ping_error

    def _force_close(self) -> None:
        pass

    def rows(self, statement: str, *values: object) -> list[Row]:
        if self.server.read_error:
            raise self.server.read_error
        rows = self.server.rows
        if "@@server_id" in statement:
            return [
                {
                    "hostname": "h",
                    "server_id": 1,
                    "is_read_only": int(self.server.is_read_only),
                    "newest_message": None,
                }
            ]
        if "MAX(id)" in statement:
            return [{"newest_message": max((row["id"] for row in rows), default=None)}]
        if "WHERE id" in statement:
            return [row for row in rows if row["id"] == values[0]]
        return list(reversed(rows))

    def insert(self, statement: str, *values: object) -> int:
        self.server.writes += 1
        if self.server.write_error:
            raise self.server.write_error
        message_id = len(self.server.rows) + 1
        self.server.rows.append(message_row(message_id, *values))
        return message_id


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


class Lab:
    """A primary, two replicas, and a browser."""

    def __init__(self) -> None:
        self.primary = FakeServer(is_read_only=False)
        self.replicas = [FakeServer(), FakeServer()]
        self.databases = Databases(
            Server("web-01", SETTINGS.primary, self.primary.connect),
            [
                Server(name, address, fake.connect)
                for name, address, fake in zip(
                    ("web-02", "db-03"), SETTINGS.replicas, self.replicas, strict=True
                )
            ],
        )
        self.application: Application = Board(SETTINGS, TOPOLOGY, self.databases).application()

    @property
    def servers(self) -> list[FakeServer]:
        return [self.primary, *self.replicas]

    def replicate(self) -> None:
        for replica in self.replicas:
            replica.rows = list(self.primary.rows)

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

    def post_form(self, author: str = "Ada", text: str = "Hello", **environ: str) -> Answer:
        body = urlencode({"author": author, "text": text}).encode()
        environ.setdefault("CONTENT_TYPE", "application/x-www-form-urlencoded")
        return self.ask("POST", "/messages", body, **environ)

    def post_json(self, body: bytes, **environ: str) -> Answer:
        environ.setdefault("CONTENT_TYPE", "application/json")
        return self.ask("POST", "/api/messages", body, **environ)
