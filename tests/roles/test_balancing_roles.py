"""HAProxy's and NSD's files, as the topology makes them."""

import re
import shutil
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import dns.rdatatype
import dns.zone
import pytest

from provision.resources import File, Service
from provision.roles import dns as dns_role
from provision.roles import haproxy
from provision.topology import Machine, Ports, Role, Topology
from tests.roles.routing_rig import unprivileged
from tests.site_parts import TOPOLOGY, site_of, variant, with_third_web

LB, WEB, DB = (TOPOLOGY.machine(name) for name in ("lb-01", "web-01", "db-03"))
SOLO = replace(LB, roles=(Role.HAPROXY, Role.WEB, Role.PRIMARY))


def _haproxy(topology: Topology = TOPOLOGY, machine: Machine = LB) -> File:
    resources = haproxy.resources(machine, site_of(topology))
    (file,) = [each for each in resources if isinstance(each, File)]
    return file


def _servers(topology: Topology) -> list[str]:
    lines = _haproxy(topology).content.splitlines()
    return [line.strip() for line in lines if line.strip().startswith("server ")]


def _sections(text: str) -> list[str]:
    return re.findall(r"(?m)^(?:frontend|backend) (\w+)$", text)


FRONT_DOOR = ["http", "web", "stats"]
DATABASES = ["database_writes", "database_reads", "primary", "replicas", "any_database"]


ACTIVE_PASSIVE = variant(load_balancing="active-passive")


@pytest.mark.parametrize(
    ("topology", "servers"),
    [
        (TOPOLOGY, ["server web-01 192.168.56.11:80", "server web-02 192.168.56.12:80"]),
        (
            ACTIVE_PASSIVE,
            ["server web-01 192.168.56.11:80", "server web-02 192.168.56.12:80 backup"],
        ),
        (
            with_third_web(),
            [
                "server web-01 192.168.56.11:80",
                "server web-02 192.168.56.12:80",
                "server web-03 192.168.56.14:80",
            ],
        ),
        (
            with_third_web(ACTIVE_PASSIVE),
            [
                "server web-01 192.168.56.11:80",
                "server web-02 192.168.56.12:80 backup",
                "server web-03 192.168.56.14:80 backup",
            ],
        ),
        (
            variant(ports=Ports(web=8080)),
            ["server web-01 192.168.56.11:8080", "server web-02 192.168.56.12:8080"],
        ),
    ],
    ids=["active-active", "active-passive", "three webs", "three, active-passive", "another port"],
)
def test_requests_go_to_these_servers(topology: Topology, servers: list[str]) -> None:
    assert _servers(topology) == servers


def test_load_balancer_asks_the_applications_readiness_in_turn() -> None:
    text = _haproxy(variant(readiness="/am/i/ready")).content
    assert "http-check send meth GET uri /am/i/ready ver HTTP/1.1 hdr Host foobar.com" in text
    assert re.search(r"^    balance roundrobin$", text, re.MULTILINE)


def test_load_balancer_listens_where_the_topology_says() -> None:
    binds = re.findall(
        r"bind (\S+)", _haproxy(variant(ports=Ports(http=81, haproxy_stats=9))).content
    )
    assert binds == [":81", "192.168.56.10:9"]


def test_visitor_can_not_claim_an_address() -> None:
    lines = _haproxy().content.splitlines()
    assert lines.index("    http-request del-header X-Forwarded-For") < lines.index(
        "    option forwardfor"
    )


def test_haproxy_checks_its_file_first_and_is_reloaded_not_restarted() -> None:
    file = _haproxy()
    assert file.check == ("haproxy", "-c", "-f", "{new}")
    service = haproxy.resources(LB, site_of())[-1]
    assert service == Service("haproxy", reload_on=(file,))
    assert file.loaded_by == (service.unit,)


@pytest.mark.parametrize(
    ("machine", "sections"),
    [(LB, FRONT_DOOR), (WEB, DATABASES), (SOLO, FRONT_DOOR + DATABASES)],
    ids=["load balancer", "web machine", "both"],
)
def test_machine_has_the_sections_that_its_roles_need(
    machine: Machine, sections: list[str]
) -> None:
    assert _sections(_haproxy(machine=machine).content) == sections


@pytest.mark.parametrize(("machine", "is_bounded"), [(LB, False), (WEB, True), (SOLO, True)])
def test_only_ways_to_databases_are_cut_after_a_reload(machine: Machine, is_bounded: bool) -> None:
    """What a visitor downloads may take its time."""
    assert ("hard-stop-after" in _haproxy(machine=machine).content) == is_bounded


def test_ways_to_the_databases_are_open_to_this_machine_alone() -> None:
    ports = Ports(database_writes=1, database_reads=2)
    binds = re.findall(r"bind (\S+)", _haproxy(variant(ports=ports), WEB).content)
    assert binds == ["127.0.0.1:1", "127.0.0.1:2"]


def test_checks_are_rarer_and_wait_longer_where_machines_are_slow() -> None:
    patient = _haproxy(variant(patience=6), SOLO).content
    assert re.findall(r" inter (\S+) fastinter (\S+)", patient) == [
        ("3000ms", "1500ms"),
        ("1500ms", "600ms"),
    ]
    assert re.findall(r"timeout (?:check|connect) (\S+)", patient) == [
        "12s",
        "3000ms",
        "3000ms",
        "6s",
    ]


@pytest.mark.parametrize("backend", ["primary", "replicas", "any_database"])
def test_every_database_is_asked_by_its_agent_in_every_backend(backend: str) -> None:
    text = _haproxy(variant(ports=Ports(mysql=3, database_agent=4)), WEB).content
    servers = re.findall(r"(?m)^    server (\S+) (\S+) .*check port (\d+)", _section(text, backend))
    addresses = {each.name: f"{each.address}:3" for each in TOPOLOGY.databases}
    assert servers == [(name, address, "4") for name, address in addresses.items()]


def test_role_change_changes_no_file() -> None:
    moved = {WEB: (Role.WEB, Role.REPLICA), DB: (Role.PRIMARY,)}
    machines = [replace(each, roles=moved.get(each, each.roles)) for each in TOPOLOGY.machines]
    after = variant(machines=tuple(machines))
    assert _haproxy(after, after.machine("web-01")).content == _haproxy(machine=WEB).content


def _section(text: str, backend: str) -> str:
    return text.partition(f"\nbackend {backend}\n")[2].partition("\n\n")[0]


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not on this host")
@pytest.mark.parametrize("machine", [LB, WEB, SOLO])
@pytest.mark.parametrize("topology", [TOPOLOGY, ACTIVE_PASSIVE])
def test_haproxy_accepts_its_file(topology: Topology, machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text(unprivileged(_haproxy(topology, machine).content, tmp_path))
    assert subprocess.run(["haproxy", "-c", "-f", str(path)], check=False).returncode == 0


def _zone_file(topology: Topology = TOPOLOGY) -> File:
    return next(
        each
        for each in dns_role.resources(LB, site_of(topology))
        if isinstance(each, File) and each.path == dns_role.ZONE
    )


@pytest.mark.parametrize("topology", [TOPOLOGY, with_third_web(), variant(domain="example.org")])
def test_zone_knows_the_domain_www_and_every_machine(topology: Topology) -> None:
    zone = dns.zone.from_text(_zone_file(topology).content, topology.domain, relativize=True)
    addresses = {str(m.address) for m in topology.machines}
    found = {str(name): data.to_text() for name, _, data in zone.iterate_rdatas(dns.rdatatype.A)}
    assert found.pop("@") == "192.168.56.10"
    assert found == {m.name: str(m.address) for m in topology.machines}
    assert addresses == set(found.values())
    www = zone.get_rdataset("www", dns.rdatatype.CNAME)
    assert [str(each.target) for each in www or ()] == ["@"]
    servers = zone.get_rdataset("@", dns.rdatatype.NS)
    assert [str(each.target) for each in servers or ()] == ["lb-01"]


def test_zone_is_reloaded_and_the_configuration_restarted() -> None:
    *_, zone, config, service = dns_role.resources(LB, site_of())
    assert isinstance(zone, File)
    assert isinstance(config, File)
    assert service == Service("nsd", restart_on=(config,), reload_on=(zone,))
    assert zone.check == ("nsd-checkzone", "foobar.com", "{new}")
    assert config.check == ("nsd-checkconf", "{new}")
    assert "ip-address: 192.168.56.10@53" in config.content
    assert "zonefile: /etc/nsd/quartet.zone" in config.content


def test_dns_also_answers_at_the_public_address_and_gives_it_out() -> None:
    public = IPv4Address("198.51.100.10")
    machines = [
        replace(each, public_address=public) if each == LB else each for each in TOPOLOGY.machines
    ]
    topology = variant(machines=tuple(machines))
    *_, zone, config, _ = dns_role.resources(topology.machine("lb-01"), site_of(topology))
    assert isinstance(zone, File)
    assert isinstance(config, File)
    listens = re.findall(r"(?m)^\s*ip-address: (\S+)$", config.content)
    assert listens == ["192.168.56.10@53", "198.51.100.10@53"]
    found = dns.zone.from_text(zone.content, topology.domain).get_rdataset("@", "A")
    assert [str(each) for each in found or ()] == ["198.51.100.10"]


@pytest.mark.skipif(not shutil.which("nsd-checkzone"), reason="NSD is not on this host")
def test_nsd_accepts_its_zone(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text(_zone_file().content)
    command = ["nsd-checkzone", "foobar.com", str(path)]
    assert subprocess.run(command, check=False).returncode == 0
