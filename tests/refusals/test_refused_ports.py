"""Ports that another program has."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from provision.refusals.ports import SETTINGS
from provision.roles import dns, haproxy, mysql, nginx
from provision.topology import Ports
from tests.refusals.refusal_parts import NOTES, Server, noted, refused
from tests.site_parts import TOPOLOGY, variant


def _listening(address: str, port: int, program: str) -> str:
    holder = f'users:(("{program}",pid=7,fd=3))' if program else ""
    return f"LISTEN 0 128 {address}:{port} 0.0.0.0:* {holder}\n"


@pytest.mark.parametrize("address", ["192.168.56.11", "0.0.0.0", "*", "[::]"])  # noqa: S104
def test_port_of_another_program_is_not_taken(address: str) -> None:
    (what,) = refused("web-01", listeners=_listening(address, 80, "apache2"))
    assert what == "port 80 is taken by apache2, and nginx needs it"


def test_haproxy_needs_its_port_at_every_address() -> None:
    (what,) = refused("lb-01", listeners=_listening("127.0.0.1", 80, "apache2"))
    assert "haproxy needs it" in what


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53%lo", "10.7.7.7", "[::1]"])
def test_same_port_at_another_address_is_no_obstacle(address: str) -> None:
    assert refused("web-01", listeners=_listening(address, 80, "apache2")) == []


@pytest.mark.parametrize(
    ("machine", "port", "program"),
    [
        ("lb-01", 80, "haproxy"),
        ("lb-01", 8404, "haproxy"),
        ("lb-01", 53, "nsd"),
        ("lb-01", 53, "nsd: server 1"),
        ("web-01", 80, "nginx"),
        ("web-01", 3306, "mysqld"),
        ("web-01", 80, ""),
        ("web-01", 8008, "dbagent"),
    ],
)
def test_own_programs_are_no_obstacle(machine: str, port: int, program: str) -> None:
    address = str(TOPOLOGY.machine(machine).address)
    assert refused(machine, listeners=_listening(address, port, program)) == []


@pytest.mark.parametrize(
    ("machine", "port", "program"),
    [
        ("lb-01", 53, "systemd-resolve"),
        ("lb-01", 8404, "java"),
        ("web-01", 3306, "mariadbd"),
        ("web-01", 3306, "mysqld_exporter"),
        ("web-01", 80, "nginx-proxy"),
        ("db-03", 8008, "python3"),
    ],
)
def test_others_are_whatever_their_names_begin_with(machine: str, port: int, program: str) -> None:
    address = str(TOPOLOGY.machine(machine).address)
    (what,) = refused(machine, listeners=_listening(address, port, program))
    assert f"port {port} is taken by {program}" in what


@pytest.mark.parametrize("port", [6446, 6447])
@pytest.mark.parametrize("address", ["127.0.0.1", "*"])
def test_web_machine_needs_its_ways_to_the_databases(address: str, port: int) -> None:
    listeners = _listening(address, port, "mysqlrouter")
    (what,) = refused("web-01", listeners=listeners)
    assert what == f"port {port} is taken by mysqlrouter, and haproxy needs it"
    assert refused("lb-01", listeners=listeners) == []
    assert refused("db-03", listeners=listeners) == []


def test_ways_to_the_databases_are_on_the_loopback_alone() -> None:
    assert refused("web-01", listeners=_listening("192.168.56.11", 6446, "mysqlrouter")) == []


def test_agent_is_known_by_its_settings_and_not_by_its_interpreter() -> None:
    agent = _listening("192.168.56.13", 8008, "python3")
    (what,) = refused("db-03", listeners=agent)
    assert what == "port 8008 is taken by python3, and dbagent needs it"
    assert refused("db-03", listeners=agent, paths=noted(SETTINGS["dbagent"])) == []


def test_another_program_in_python_is_not_the_agent() -> None:
    listeners = _listening("*", 3306, "python3")
    (what,) = refused("db-03", listeners=listeners, paths=noted(SETTINGS["dbagent"]))
    assert what == "port 3306 is taken by python3, and mysqld needs it"


def test_port_that_no_role_of_the_machine_needs_may_be_anybodys() -> None:
    everybody = "".join(_listening("*", port, "java") for port in (22, 53, 8404, 8080))
    assert refused("web-01", listeners=everybody) == []


def test_ports_are_those_of_the_topology() -> None:
    topology = variant(ports=Ports(web=8081))
    taken = _listening("*", 8081, "java") + _listening("*", 80, "java")
    (what,) = refused("web-01", topology, listeners=taken)
    assert "port 8081" in what


def test_dns_needs_its_port_at_the_public_address_too() -> None:
    public = IPv4Address("198.51.100.10")
    machines = [
        replace(each, public_address=public) if each.name == "lb-01" else each
        for each in TOPOLOGY.machines
    ]
    topology = variant(machines=tuple(machines))
    (what,) = refused("lb-01", topology, listeners=_listening(str(public), 53, "dnsmasq"))
    assert what == "port 53 is taken by dnsmasq, and nsd needs it"


@pytest.mark.parametrize(
    ("machine", "port", "program", "settings"),
    [
        ("lb-01", 80, "nginx", nginx.SITE),
        ("lb-01", 8404, "nsd: server 1", dns.CONFIG),
        ("web-01", 80, "haproxy", haproxy.CONFIG),
        ("web-01", 80, "mysqld", mysql.CONFIG),
    ],
)
def test_ports_that_our_own_programs_swap_are_no_obstacle(
    machine: str, port: int, program: str, settings: str
) -> None:
    """Each moves to its new port in the course of the run."""
    listeners = _listening("*", port, program)
    (what,) = refused(machine, listeners=listeners)
    assert f"port {port} is taken by {program}" in what
    assert refused(machine, listeners=listeners, paths=noted(settings)) == []


def test_program_that_is_ours_by_name_alone_is_somebody_elses() -> None:
    listeners = _listening("*", 80, "nginx")
    (what,) = refused("lb-01", listeners=listeners, paths=noted(haproxy.CONFIG))
    assert what == "port 80 is taken by nginx, and haproxy needs it"


def test_what_ss_says_is_read(server: Server) -> None:
    server.says("ss", _listening("0.0.0.0", 80, "apache2"))  # noqa: S104
    (what,) = server.refused("web-01")
    assert what == "port 80 is taken by apache2, and nginx needs it"
    server.says("ss", _listening("0.0.0.0", 80, "haproxy"))  # noqa: S104
    assert len(server.refused("web-01")) == 1
    server.file(f"{NOTES}{haproxy.CONFIG}")
    assert server.refused("web-01") == []
