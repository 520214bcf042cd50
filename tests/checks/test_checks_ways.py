"""How ports are reached: over a real SSH connection, or past it."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from pymysql.err import OperationalError

from checks import ssh
from checks.databases import Database, error_number
from checks.expectations import NotAnsweringError
from checks.front_door import Door
from checks.secret_values import SecretValues
from checks.ssh import Masters, NoWayError, free_port
from checks.ways import Direct, Tunnel, Ways
from provision.topology import Machine, Role, Topology, load
from tests.checks.conftest import NAME
from tests.checks.forwarding_server import ForwardingServer
from tests.checks.shapes import SINGLE, TEN, write_shape

SECRETS = SecretValues({"app": "secret"}, "")


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['Host']} from {self.client_address[0]}".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def site() -> Iterator[int]:
    """A port with a web site, on an address that nobody asks directly."""
    server = ThreadingHTTPServer(("127.0.0.2", 0), _Site)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def machine() -> Machine:
    return Machine(name=NAME, address=IPv4Address("127.0.0.2"), roles=(Role.WEB,), server_id=1)


def topology_of(tmp_path: Path, shape: str, provider: str = "ssh") -> Topology:
    return load(write_shape(tmp_path, shape.replace("provider: ssh", f"provider: {provider}")))


def test_request_goes_through_ssh_with_the_sites_own_host(
    masters: Masters, site: int, machine: Machine
) -> None:
    door = Door(machine, Tunnel(masters, NAME, "127.0.0.2", site), "foobar.com")

    assert door.get("/").text.startswith("foobar.com from ")
    door.close()


def test_one_port_is_forwarded_once(masters: Masters, site: int) -> None:
    first = Tunnel(masters, NAME, "127.0.0.2", site).open()

    assert Tunnel(masters, NAME, "127.0.0.2", site).open() == first


def test_port_that_was_taken_in_between_is_replaced(
    masters: Masters, site: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        ports = iter([squatter.getsockname()[1], free_port()])
        monkeypatch.setattr(ssh, "free_port", lambda: next(ports))

        _, local = Tunnel(masters, NAME, "127.0.0.2", site).open()

        assert local != squatter.getsockname()[1]
    socket.create_connection(("127.0.0.1", local), 5).close()


def test_ports_that_are_taken_every_time_are_given_up(
    masters: Masters, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken: int = squatter.getsockname()[1]
        monkeypatch.setattr(ssh, "free_port", lambda: taken)

        with pytest.raises(NoWayError, match="does not forward to port 9 of web-01"):
            masters.forward(NAME, "127.0.0.2", 9)


def test_closed_port_at_the_other_end_is_told(masters: Masters, machine: Machine) -> None:
    door = Door(machine, Tunnel(masters, NAME, "127.0.0.2", 9), "foobar.com")

    with pytest.raises(NotAnsweringError) as caught:
        door.get("/")

    assert "onnect" in caught.value.found
    assert "Error" not in caught.value.found


def test_sshd_that_forwards_nothing_is_told(
    server: ForwardingServer, config: Path, machine: Machine
) -> None:
    server.forbids_forwarding = True
    masters = Masters(config)
    masters.open([NAME])
    door = Door(machine, Tunnel(masters, NAME, "127.0.0.2", 9), "foobar.com")

    with pytest.raises(NotAnsweringError) as caught:
        door.get("/")

    masters.close()
    assert caught.value.found == "sshd on web-01 forwards nothing (AllowTcpForwarding, PermitOpen)"


def test_machine_without_a_connection_has_no_way(masters: Masters, machine: Machine) -> None:
    masters.unreachable[NAME] = "sudo refused the password"
    way = Tunnel(masters, NAME, "127.0.0.2", 80)

    with pytest.raises(NotAnsweringError) as caught:
        Door(machine, way, "foobar.com").get("/")

    assert caught.value.found == "no SSH connection to web-01: sudo refused the password"


@pytest.mark.parametrize("through_ssh", [True, False])
def test_silent_mysql_is_an_operational_error_with_the_reason(
    masters: Masters, machine: Machine, through_ssh: bool
) -> None:
    tunnel, direct = Tunnel(masters, NAME, "127.0.0.2", 9), Direct("127.0.0.2", 9)

    with pytest.raises(OperationalError, match=r"127\.0\.0\.2 \(.*onnect.*\)") as caught:
        Database(machine, tunnel if through_ssh else direct, SECRETS).connect("app", tls=False)

    assert error_number(caught.value) == 2003


@pytest.mark.parametrize("provider", ["nspawn", "libvirt", "virtualbox"])
def test_machines_of_a_lab_are_reached_directly(tmp_path: Path, provider: str) -> None:
    topology = topology_of(tmp_path, TEN, provider)
    ways = Ways(topology, Masters(tmp_path / "none", tmp_path))

    assert ways.to(topology.machine("web-3"), 80) == Direct("10.7.0.13", 80)
    assert not ways.lead_through_ssh


def test_servers_are_reached_through_ssh_but_for_what_is_public(tmp_path: Path) -> None:
    topology = topology_of(tmp_path, TEN)
    masters = Masters(tmp_path / "none", tmp_path)
    ways, balancer = Ways(topology, masters), topology.load_balancer

    assert ways.to(balancer, 80) == Direct("203.0.113.7", 80)
    assert ways.to(balancer, 53) == Direct("203.0.113.7", 53)
    assert ways.to(balancer, 8404) == Tunnel(masters, "lb", "10.7.0.2", 8404)
    assert ways.to(topology.machine("web-3"), 80) == Tunnel(masters, "web-3", "10.7.0.13", 80)


def test_front_door_without_a_public_address_is_reached_through_ssh(tmp_path: Path) -> None:
    topology = topology_of(tmp_path, SINGLE)
    ways = Ways(topology, Masters(tmp_path / "none", tmp_path))

    assert not ways.to(topology.load_balancer, topology.ports.http).carries_udp
