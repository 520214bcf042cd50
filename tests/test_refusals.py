"""What forbids to change anything, from what a machine's own programs print."""

from ipaddress import IPv4Address

import pytest

from provision.distribution import SERVER_PACKAGE
from provision.mysql.state import SERVER
from provision.refusals import facts, refusals
from provision.resources import Fact
from provision.resources.facts import parse_answers
from provision.resources.site import LISTENS
from provision.topology import Machine, Ports, Topology
from tests.site_parts import TOPOLOGY, variant

OURS, OTHERS = str(TOPOLOGY.machine("web-01").address), "10.9.9.9"
UBUNTU = "family=debian\ntitle=Ubuntu 24.04\n"
DEBIAN = "family=debian\ntitle=Debian GNU/Linux 12\n"
MYSQL = "installed=mysql-server-8.4\n"
CONFIGURATION = "configured\ngtid\t\n"
SITES = "/etc/nginx/sites-enabled"


def _refused(name: str, topology: Topology = TOPOLOGY, **outputs: str) -> list[str]:
    """What is said against a machine whose programs print this, by the names of the facts."""
    machine = topology.machine(name)
    said = {"distribution": UBUNTU} | {key.replace("_", " "): text for key, text in outputs.items()}
    sections = "".join(f"\n--quartet-fact {kind}\n{text}" for kind, text in said.items())
    snapshot = parse_answers(_questions(machine), sections)
    errors = refusals(topology, {name: snapshot})
    assert {error.where for error in errors} <= {name}
    assert all(error.next_step for error in errors)
    return [error.what for error in errors]


def _questions(machine: Machine) -> list[Fact]:
    return [*facts(machine), *([SERVER] if machine.is_database else [])]


def test_machine_like_those_of_the_lab_is_not_refused() -> None:
    for machine in TOPOLOGY.machines:
        assert _refused(machine.name) == []


def test_distribution_without_apt_is_refused() -> None:
    (what,) = _refused("lb-01", distribution="family=rocky\ntitle=Rocky Linux 9\n")
    assert what == "runs Rocky Linux 9; Quartet installs Debian packages"
    assert _refused("lb-01", distribution="") == []


class TestDatabaseServer:
    @pytest.mark.parametrize("package", ["mariadb-server", "mysql-community-server"])
    def test_another_server_is_not_replaced(self, package: str) -> None:
        (what,) = _refused("db-03", server_package=f"installed={package}\n")
        assert what.startswith(f"{package} is installed; MySQL would take its place")

    def test_mysql_of_the_distribution_is_taken_over(self) -> None:
        running = f"{CONFIGURATION}version\t8.0.44-0ubuntu0.22.04.1\n"
        assert _refused("db-03", server_package=MYSQL, mysql=running) == []

    def test_machines_without_a_database_may_have_any_server(self) -> None:
        assert SERVER_PACKAGE in facts(TOPOLOGY.machine("db-03"))
        assert SERVER_PACKAGE not in facts(TOPOLOGY.machine("lb-01"))

    def test_data_that_no_server_belongs_to_are_not_initialised_over(self) -> None:
        (what,) = _refused("db-03", server_package="installed=\ndata=yes\ncandidate=8.4.6\n")
        assert what.startswith("/var/lib/mysql holds data")

    def test_data_of_ours_are_where_its_package_is_gone(self) -> None:
        package = "installed=\ndata=yes\ncandidate=8.4.6\n"
        assert _refused("db-03", server_package=package, mysql="configured\n") == []

    def test_release_without_mysql_is_told_with_those_that_have_it(self) -> None:
        package = "installed=\ncandidate=none\n"
        (what,) = _refused("db-03", distribution=DEBIAN, server_package=package)
        assert what.startswith("Debian GNU/Linux 12 has no MySQL server to install")

    @pytest.mark.parametrize("candidate", ["candidate=8.4.6\n", ""])
    def test_server_that_can_be_installed_or_nobody_knows_is_no_obstacle(
        self, candidate: str
    ) -> None:
        assert _refused("db-03", server_package=f"installed=\n{candidate}") == []

    @pytest.mark.parametrize(
        ("version", "is_old"),
        [("5.7.44-log", True), ("8.0.25", True), ("8.0.26", False), ("9.1.0", False), ("", False)],
    )
    def test_server_older_than_the_words_we_use_is_refused(
        self, version: str, is_old: bool
    ) -> None:
        state = f"gtid\t\nversion\t{version}\n"
        said = _refused("db-03", server_package=MYSQL, mysql=state)
        assert said == ([f"runs MySQL {version}, older than 8.0.26"] if is_old else [])


class TestReplication:
    @pytest.mark.parametrize(
        ("host", "name", "shown"),
        [
            (OTHERS, "", f"from {OTHERS}, which"),
            (OTHERS, "reports", f"from {OTHERS} (channel 'reports'), which"),
            (OURS, "reports", f"from {OURS} (channel 'reports'), which"),
        ],
    )
    def test_source_that_is_not_ours_is_left_alone(self, host: str, name: str, shown: str) -> None:
        state = f"{CONFIGURATION}channel\t{host}\t{name}\n"
        (what,) = _refused("db-03", server_package=MYSQL, mysql=state)
        assert shown in what

    def test_every_source_is_told(self) -> None:
        state = f"{CONFIGURATION}channel\t{OTHERS}\ta\nchannel\t{OURS}\t\nchannel\t{OTHERS}\tb\n"
        assert len(_refused("db-03", server_package=MYSQL, mysql=state)) == 2

    @pytest.mark.parametrize("row", [f"channel\t{OURS}\t\n", f"channel\t{OURS}\n", ""])
    def test_source_of_this_system_is_no_obstacle(self, row: str) -> None:
        assert _refused("db-03", server_package=MYSQL, mysql=CONFIGURATION + row) == []


def _listening(address: str, port: int, program: str) -> str:
    holder = f'users:(("{program}",pid=7,fd=3))' if program else ""
    return f"LISTEN 0 128 {address}:{port} 0.0.0.0:* {holder}\n"


class TestPorts:
    @pytest.mark.parametrize("address", ["192.168.56.11", "0.0.0.0", "*", "[::]"])  # noqa: S104
    def test_port_of_another_program_is_not_taken(self, address: str) -> None:
        (what,) = _refused("web-01", listeners=_listening(address, 80, "apache2"))
        assert what == "port 80 is taken by apache2, and nginx needs it"

    def test_haproxy_needs_its_port_at_every_address(self) -> None:
        (what,) = _refused("lb-01", listeners=_listening("127.0.0.1", 80, "apache2"))
        assert "haproxy needs it" in what

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53%lo", "10.7.7.7", "[::1]"])
    def test_same_port_at_another_address_is_no_obstacle(self, address: str) -> None:
        assert _refused("web-01", listeners=_listening(address, 80, "apache2")) == []

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
        ],
    )
    def test_own_programs_are_no_obstacle(self, machine: str, port: int, program: str) -> None:
        address = str(TOPOLOGY.machine(machine).address)
        assert _refused(machine, listeners=_listening(address, port, program)) == []

    @pytest.mark.parametrize(
        ("machine", "port", "program"),
        [
            ("lb-01", 53, "systemd-resolve"),
            ("lb-01", 8404, "java"),
            ("web-01", 3306, "mariadbd"),
            ("web-01", 3306, "mysqld_exporter"),
            ("web-01", 80, "nginx-proxy"),
        ],
    )
    def test_others_are_whatever_their_names_begin_with(
        self, machine: str, port: int, program: str
    ) -> None:
        address = str(TOPOLOGY.machine(machine).address)
        (what,) = _refused(machine, listeners=_listening(address, port, program))
        assert f"port {port} is taken by {program}" in what

    def test_port_that_no_role_of_the_machine_needs_may_be_anybodys(self) -> None:
        everybody = "".join(_listening("*", port, "java") for port in (22, 53, 8404, 8080))
        assert _refused("web-01", listeners=everybody) == []

    def test_ports_are_those_of_the_topology(self) -> None:
        topology = variant(ports=Ports(web=8081))
        taken = _listening("*", 8081, "java") + _listening("*", 80, "java")
        (what,) = _refused("web-01", topology, listeners=taken)
        assert "port 8081" in what

    def test_dns_needs_its_port_at_the_public_address_too(self) -> None:
        public = IPv4Address("198.51.100.10")
        machines = [
            each.model_copy(update={"public_address": public}) if each.name == "lb-01" else each
            for each in TOPOLOGY.machines
        ]
        topology = variant(machines=tuple(machines))
        (what,) = _refused("lb-01", topology, listeners=_listening(str(public), 53, "dnsmasq"))
        assert what == "port 53 is taken by dnsmasq, and nsd needs it"


class TestSites:
    @pytest.mark.parametrize(
        "listen",
        [
            "80",
            "*:80",
            "*",
            "[::]:80",
            "[::]",
            "0.0.0.0:80",
            "192.168.56.11:80",
            "192.168.56.11",
            "80 default_server",
        ],
    )
    def test_site_that_would_lose_its_visitors_is_not_pushed_aside(self, listen: str) -> None:
        (what,) = _refused("web-01", sites=f"{SITES}/shop:    listen {listen};\n")
        assert f"{SITES}/shop already serves {listen.split(maxsplit=1)[0]}" in what
        assert "192.168.56.11:80" in what

    @pytest.mark.parametrize(
        "listen",
        [
            "8080",
            "*:8080",
            "443 ssl",
            "127.0.0.1:80",
            "127.0.0.1",
            "10.7.7.7:80",
            "[::1]:80",
            "[::1]",
            "unix:/run/shop.sock",
            "localhost:80",
        ],
    )
    def test_site_at_another_address_or_port_keeps_its_visitors(self, listen: str) -> None:
        assert _refused("web-01", sites=f"{SITES}/shop:    listen {listen};\n") == []

    def test_own_site_is_no_obstacle(self) -> None:
        own = "/etc/nginx/conf.d/quartet.conf:    listen 192.168.56.11:80 default_server;\n"
        assert _refused("web-01", sites=own) == []

    @pytest.mark.parametrize(
        ("default", "refused"), [("the package's own", False), ("changed", True)]
    )
    def test_default_site_counts_where_its_owner_changed_it(
        self, default: str, refused: bool
    ) -> None:
        sites = f"{SITES}/default:    listen 80 default_server;\ndefault: {default}\n"
        assert bool(_refused("web-01", sites=sites)) is refused

    def test_machine_that_serves_no_web_may_have_any_site(self) -> None:
        assert LISTENS in facts(TOPOLOGY.machine("web-01"))
        assert LISTENS not in facts(TOPOLOGY.machine("lb-01"))

    def test_site_is_told_once_however_often_it_listens(self) -> None:
        sites = f"{SITES}/shop:  listen 80;\n{SITES}/shop:  listen [::]:80;\n"
        assert len(_refused("web-01", sites=sites)) == 1


def test_everything_in_the_way_is_told_at_once() -> None:
    said = _refused(
        "web-01",
        server_package="installed=mariadb-server\n",
        listeners=_listening("*", 80, "apache2") + _listening("*", 3306, "mariadbd"),
        sites=f"{SITES}/shop:  listen 80;\n",
    )
    assert len(said) == 4


def test_machine_that_did_not_answer_is_not_judged() -> None:
    assert refusals(TOPOLOGY, {}) == []
