"""What holds on every machine, whatever its roles.

On a server in use, people have units, sockets and files of their own, which are none of our
business: there only our own daemons are judged.
"""

import pytest

from checks import services
from checks.clocks import apart_s
from checks.expectations import expect, expect_equal
from checks.lab import Lab
from provision.topology import Machine, Role, Topology

pytestmark = pytest.mark.area("machines")

CLOCKS_AGREE_WITHIN_S = 1.0
# SSH, and a DHCP client on the way to the internet.
ALWAYS_ALLOWED = {"tcp *:22"}
DHCP_PORTS = ("68", "546")


@pytest.mark.look("systemctl --failed")
def test_no_unit_has_failed(lab: Lab, machine: Machine) -> None:
    listed = lab.facts[machine.name]["failed units"].text
    expect_equal("failed units", services.failed_units(lab, machine, listed), set())


@pytest.mark.look("timedatectl")
def test_clock_agrees_with_the_other_machines_within_a_second(lab: Lab, neighbour: Machine) -> None:
    everyone = [facts.clock for facts in lab.facts.values()]
    apart = apart_s(lab.facts[neighbour.name].clock, everyone)
    expect(
        abs(apart) <= CLOCKS_AGREE_WITHIN_S,
        expected=f"at most {CLOCKS_AGREE_WITHIN_S:g} s from the others",
        found=f"{apart:+.1f} s",
    )


@pytest.mark.look("ss -lntup")
def test_nothing_listens_on_the_network_that_should_not(lab: Lab, machine: Machine) -> None:
    surplus = {
        socket
        for socket in _listening(lab, machine) - _allowed(lab.topology, machine)
        if not _is_harmless(socket)
    }
    expect_equal("sockets that nobody planned", surplus, set())


@pytest.mark.look("ps -e -o pid,user,args")
def test_no_password_stands_on_a_command_line(lab: Lab, machine: Machine) -> None:
    processes = lab.facts[machine.name]["processes"].text
    shown = {user for user, password in lab.secrets.passwords.items() if password in processes}
    expect_equal("accounts whose password `ps` shows", shown, set())


@pytest.mark.look("ls -l /etc/app /etc/mysql/tls")
def test_no_file_with_a_secret_is_readable_by_everybody(lab: Lab, machine: Machine) -> None:
    files = set(lab.facts[machine.name]["open secrets"].lines)
    expect_equal("files with secrets that everybody can read", files, set())


def _listening(lab: Lab, machine: Machine) -> set[str]:
    """What listens there, on a server in use of our own daemons.

    Nginx is left out: it may serve sites of other people, and its sockets don't say whose they are.
    """
    facts = lab.facts[machine.name]
    if lab.is_ours_alone:
        return facts.listening
    units = services.units_of(machine) - {"nginx.service"}
    daemons = [unit for unit in units if unit.endswith(".service")]
    return set().union(*(facts.listening_of(unit) for unit in daemons))


def _allowed(topology: Topology, machine: Machine) -> set[str]:
    address, ports = machine.address, topology.ports
    dns = {address, machine.public_address or address}
    database = {f"tcp {address}:{port}" for port in (ports.mysql, ports.database_agent)}
    by_role = {
        Role.HAPROXY: {f"tcp *:{ports.http}", f"tcp {address}:{ports.haproxy_stats}"},
        Role.DNS: {f"{kind} {each}:{ports.dns}" for kind in ("tcp", "udp") for each in dns},
        Role.WEB: {f"tcp {address}:{ports.web}"},
        Role.PRIMARY: database,
        Role.REPLICA: database,
    }
    return ALWAYS_ALLOWED.union(*(by_role[role] for role in machine.roles))


def _is_harmless(socket: str) -> bool:
    protocol, _, address = socket.partition(" ")
    host, _, port = address.rpartition(":")
    is_dhcp = protocol == "udp" and port in DHCP_PORTS
    return is_dhcp or host.startswith("127.") or host == "::1"
