"""Machines to connect to: real SSH servers on this host's loopback."""

from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from provision.connection import Access, Connection
from provision.connection import machine as connection_module
from tests.connection.ssh_parts import KNOWN, MINE, MY_TEXT, endpoint_of, line_of, write_key
from tests.ssh_server import SshServer

MakeServer = Callable[[str], SshServer]
Connect = Callable[..., Connection]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Start a server whose programs are its own."""
    made: list[SshServer] = []

    def make(name: str) -> SshServer:
        server = SshServer(
            client_key=MINE,
            host_key=KNOWN,
            programs=tmp_path / f"programs-{name}",
            users=("quartet", "root"),
        )
        made.append(server)
        return server

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def server(make_server: MakeServer) -> SshServer:
    return make_server("machine")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The private key that the servers let in."""
    return write_key(tmp_path / "id")


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's lock, below tmp_path and without a wait for it."""
    lock = tmp_path / "machine.lock"
    argv = [*connection_module._ONE_AT_A_TIME]
    argv[argv.index(connection_module.LOCK)] = str(lock)
    argv[argv.index("-w") + 1] = "0"
    monkeypatch.setattr(connection_module, "_ONE_AT_A_TIME", tuple(argv))
    return lock


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """For machines that are really one, so that they can't each be busy."""
    monkeypatch.setattr(connection_module, "_ONE_AT_A_TIME", ())


@pytest.fixture
def connect(server: SshServer, tmp_path: Path) -> Iterator[Connect]:
    """Make a connection, not opened yet, to the server or another port."""
    made: list[Connection] = []

    def connect(
        known: paramiko.PKey | None = KNOWN, key: str = MY_TEXT, port: int = 0
    ) -> Connection:
        endpoint = endpoint_of(server, write_key(tmp_path / "id", key), port=port or server.port)
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(f"{endpoint.known_as} {line_of(known)}\n" if known else "")
        made.append(Connection("web-01", endpoint, Access(known_hosts)))
        return made[-1]

    yield connect
    for each in made:
        each.close()


@pytest.fixture
def host(connect: Connect) -> Iterator[Connection]:
    with connect() as host:
        yield host
