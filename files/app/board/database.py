"""The databases: through the router for all work, and each by itself to see how it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from board.config import Address, Settings
from board.connection import Connection, connect
from board.deadline import Deadline
from board.pool import SPREAD_READS, Connector, Pool, Work
from board.reading import ANSWER_SECONDS, READ_SECONDS, Answer, Reader
from board.states import States
from board.topology import Topology
from board.writing import Writer

Result = TypeVar("Result")


@dataclass(frozen=True)
class Databases:
    """The databases as one worker process sees them."""

    reader: Reader
    writer: Writer
    servers: list[Pool]
    states: States

    @classmethod
    def of(cls, writes: Pool, reads: Pool, servers: list[Pool]) -> "Databases":
        """Put them together."""
        return cls(Reader(reads, writes), Writer(writes), servers, States(servers))

    @classmethod
    def from_settings(cls, settings: Settings, topology: Topology) -> "Databases":
        """Connect to none of them yet."""

        def router(name: str, address: Address, spread: int) -> Pool:
            return Pool(name, address, _named_by_itself(address, settings, topology), spread)

        def server(address: Address) -> Pool:
            name = topology.name_of(address.host) or str(address)
            return Pool(name, address, _named(name, address, settings))

        return cls.of(
            router("the primary's address", settings.writes, spread=1),
            router("the replicas' address", settings.reads, spread=SPREAD_READS),
            [server(address) for address in settings.servers],
        )

    def named(self, name: str) -> Pool | None:
        """Find a server by its machine's name or its HOST:PORT."""
        return next((s for s in self.servers if name in (s.name, str(s.address))), None)


def ask(server: Pool, work: Work[Result]) -> Answer[Result]:
    """Read from this server and no other; raises UnavailableError."""
    result = server.run(work, Deadline(READ_SECONDS), ANSWER_SECONDS)
    return Answer(result, server.name)


def _named(name: str, address: Address, settings: Settings) -> Connector:
    def connector(seconds: float) -> Connection:
        connection = connect(address, settings, seconds)
        connection.server = name
        return connection

    return connector


def _named_by_itself(address: Address, settings: Settings, topology: Topology) -> Connector:
    """Ask once who is at the other end of a connection through the router."""

    def connector(seconds: float) -> Connection:
        connection = connect(address, settings, seconds)
        connection.server = server_at(connection, topology.name_of)
        return connection

    return connector


def server_at(connection: Connection, name_of: Callable[[str], str | None]) -> str:
    """Name the server by its address in the topology (report_host), else as it calls itself."""
    [row] = connection.rows("SELECT @@report_host AS address, @@hostname AS hostname")
    return name_of(row["address"] or "") or str(row["hostname"])
