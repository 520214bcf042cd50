"""HAProxy on the loopback with the role's own file, before databases that only say who they are."""

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any, ClassVar

from checks.ssh import free_port
from provision.resources import File
from provision.roles import haproxy
from provision.topology import Machine, Ports, Role, Topology
from tests.site_parts import TOPOLOGY, site_of, variant

NAMES = ("db-1", "db-2", "db-3")
ROUTER = Machine(name="web-1", address=IPv4Address("127.0.0.1"), roles=(Role.WEB,), server_id=9)
WAIT_S = 10


def topology() -> Topology:
    """A web machine and three databases, each with a loopback address of its own."""
    databases = [
        Machine(
            name=name,
            address=IPv4Address(f"127.0.0.{10 + number}"),
            roles=(Role.PRIMARY if number == 1 else Role.REPLICA,),
            server_id=number,
        )
        for number, name in enumerate(NAMES, 1)
    ]
    names = ("mysql", "database_agent", "database_writes", "database_reads")
    ports = Ports(**{name: free_port() for name in names})
    return variant(TOPOLOGY, machines=(ROUTER, *databases), ports=ports)


def config_of(machine: Machine, site: Topology) -> str:
    """The machine's haproxy.cfg."""
    resources = haproxy.resources(machine, site_of(site))
    return next(each.content for each in resources if isinstance(each, File))


def unprivileged(config: str, folder: Path) -> str:
    """The same file for somebody who is not root, with its socket in this folder."""
    lines = [
        line
        for line in config.replace("/run/haproxy", str(folder)).splitlines(keepends=True)
        if line.split()[:1] not in (["chroot"], ["user"], ["group"])
    ]
    return "".join(lines)


class _Servers(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


class _Agents(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@dataclass
class FakeDatabase:
    """Says its name to who connects, and then nothing; its agent answers 200 to what it `is`."""

    machine: Machine
    ports: Ports
    is_: set[str] = field(default_factory=set)
    _open: list[Any] = field(default_factory=list)

    ALL: ClassVar = {"primary", "replica", "alive"}

    def start(self) -> None:
        """Answer from now on."""
        self.listen()
        agent = _Agents((str(self.machine.address), self.ports.database_agent), self._agent())
        self._serve(agent)

    def listen(self) -> None:
        """Take connections; the agent is another matter."""
        server = _Servers((str(self.machine.address), self.ports.mysql), self._greeter())
        self._serve(server)

    def stop_listening(self) -> None:
        """Refuse connections, though the agent has not noticed."""
        for server in [each for each in self._open if isinstance(each, _Servers)]:
            self._end(server)

    def stop(self) -> None:
        """Leave nothing behind."""
        for server in list(self._open):
            self._end(server)

    def _serve(self, server: Any) -> None:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self._open.append(server)

    def _end(self, server: Any) -> None:
        self._open.remove(server)
        server.shutdown()
        server.server_close()

    def _greeter(self) -> type[BaseRequestHandler]:
        name = self.machine.name

        class Greeter(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    self.request.sendall(name.encode())
                    self.request.recv(1)

        return Greeter

    def _agent(self) -> type[BaseHTTPRequestHandler]:
        database = self

        class Agent(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path[1:] in database.is_ else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Agent


@dataclass
class Router:
    """A running HAProxy and its databases by name."""

    ports: Ports
    databases: dict[str, FakeDatabase]
    process: subprocess.Popen[bytes]
    folder: Path

    def roles(self, **roles: str) -> None:
        """Give each its role by the last letter of its name, such as primary="1", replica="23"."""
        for name, database in self.databases.items():
            database.is_ = {"alive"} | {role for role, who in roles.items() if name[-1] in who}

    def connect(self, port: int) -> "Visit":
        """Connect and hear who answers."""
        connection = socket.create_connection(("127.0.0.1", port), WAIT_S)
        with suppress(ConnectionResetError):
            return Visit(connection, connection.recv(16).decode())
        return Visit(connection, "")

    def write(self) -> "Visit":
        """Connect where writes go."""
        return self.connect(self.ports.database_writes)

    def read(self) -> "Visit":
        """Connect where reads go."""
        return self.connect(self.ports.database_reads)

    def readers(self, count: int = 9) -> set[str]:
        """Say who answers so many reads."""
        return {self.read().name for _ in range(count)}

    def writers(self, count: int = 9) -> set[str]:
        """Say who answers so many writes."""
        return {self.write().name for _ in range(count)}

    def up(self, backend: str) -> set[str]:
        """Name the servers of a backend that are up."""
        rows = [line.split(",") for line in self.ask("show stat").splitlines()]
        return {row[1] for row in rows if row[0] == backend and row[17].startswith("UP")} - {
            "BACKEND"
        }

    def reload(self) -> None:
        """Go on in a new process; a signal that comes too soon after the start is lost."""
        before = self._worker()

        def is_another() -> bool:
            self.process.send_signal(signal.SIGUSR2)
            time.sleep(0.3)
            try:
                return self._worker() not in ("", before)
            except OSError:
                return False

        eventually(is_another)

    def ask(self, question: str) -> str:
        """Ask the process that serves now, over its socket."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self.folder / "admin.sock"))
            admin.sendall(f"{question}\n".encode())
            return b"".join(iter(lambda: admin.recv(65536), b"")).decode()

    def _worker(self) -> str:
        lines = self.ask("show info").splitlines()
        return next((line for line in lines if line.startswith("Pid:")), "")


@dataclass
class Visit:
    """A connection that is kept; the name is empty where nobody answered."""

    connection: socket.socket
    name: str

    def is_cut_within(self, seconds: float) -> bool:
        """Whether it ends in this time."""
        self.connection.settimeout(seconds)
        try:
            return self.connection.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def eventually(condition: Callable[[], bool]) -> float:
    """Wait until it holds and say how long that took, in seconds; raises AssertionError."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + WAIT_S
        time.sleep(0.01)
    return time.monotonic() - began


@contextmanager
def router(folder: Path) -> Iterator[Router]:
    """Run HAProxy before three databases, of which the first is the primary."""
    site = topology()
    databases = {each.name: FakeDatabase(each, site.ports) for each in site.databases}
    path = folder / "haproxy.cfg"
    path.write_text(unprivileged(config_of(ROUTER, site), folder))
    for database in databases.values():
        database.start()
    process = subprocess.Popen(["haproxy", "-W", "-db", "-f", str(path)])
    try:
        started = Router(site.ports, databases, process, folder)
        started.roles(primary="1", replica="23")
        eventually((folder / "admin.sock").exists)
        eventually(lambda: started.up("primary") == {"db-1"})
        eventually(lambda: started.up("replicas") == {"db-2", "db-3", "db-1-primary"})
        yield started
    finally:
        process.terminate()
        process.wait(WAIT_S)
        for database in databases.values():
            database.stop()
