"""The lab's range and its one port on the host."""

import json
from ipaddress import IPv4Address, IPv4Network

import pytest

from provision.doctor import Severity
from provision.doctor.facts.network import HostNetwork, listeners_in
from provision.doctor.rules.network import judge_port, judge_range

NETWORK, GATEWAY = IPv4Network("10.9.8.0/24"), IPv4Address("10.9.8.1")
ANY = IPv4Address("0.0.0.0")  # noqa: S104 not bound to, but read

# As the kernel of a little-endian host prints it: 10.9.8.1:3143 listens, 0.0.0.0:80 listens,
# 10.9.8.1:3143 talks to somebody.
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0108090A:0C47 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0108090A:0C47 0208090A:D431 01 00000000:00000000 00:00000000 00000000     0        0 3 1
"""
TCP6 = f"   0: {'0' * 32}:0C47 {'0' * 32}:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1\n"
TCP6_LOOPBACK = f"   0: {'0' * 24}01000000:0C47 {'0' * 32}:0000 0A 00000000:00000000 00:00000000\n"


def _host(interface: str, address: str = "10.9.8.1", routes: str = "[]") -> HostNetwork:
    entry = {"family": "inet", "local": address, "prefixlen": 24}
    return HostNetwork(json.dumps([{"ifname": interface, "addr_info": [entry]}]), routes)


@pytest.mark.parametrize(
    ("interface", "own", "severity"),
    [
        ("eth0", "quartet0", "error"),
        ("quartet0", "quartet0", "ok"),
        ("vboxnet3", r"vboxnet\d+", "ok"),
        ("quartet0", r"vboxnet\d+", "error"),
    ],
)
def test_range_is_free_but_for_the_labs_own_interface(
    interface: str, own: str, severity: str
) -> None:
    assert judge_range(NETWORK, GATEWAY, _host(interface), own).severity == severity


def test_interface_of_the_labs_kind_with_another_address_is_a_collision() -> None:
    finding = judge_range(NETWORK, GATEWAY, _host("vboxnet0", "10.9.8.77"), r"vboxnet\d+")
    assert "vboxnet0" in finding.found


def test_route_into_the_range_is_a_collision() -> None:
    routes = json.dumps([{"dst": "10.0.0.0/8", "dev": "tun0"}])
    finding = judge_range(NETWORK, GATEWAY, _host("lo", "127.0.0.1", routes), "quartet0")
    assert finding.severity is Severity.ERROR


def test_host_without_iproute2_can_not_be_told() -> None:
    assert judge_range(NETWORK, GATEWAY, None, "quartet0").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("taken", "severity"),
    [([], "ok"), ([GATEWAY], "ok"), ([IPv4Address("127.0.0.1")], "ok"), ([ANY], "error")],
)
def test_port_is_taken_by_who_listens_everywhere(taken: list[IPv4Address], severity: str) -> None:
    assert judge_port(3143, "the package cache", GATEWAY, taken).severity == severity


@pytest.mark.parametrize(
    ("table", "port", "addresses"),
    [
        (TCP, 3143, [GATEWAY]),
        (TCP, 80, [ANY]),
        (TCP, 81, []),
        (TCP6, 3143, [ANY]),
        (TCP6_LOOPBACK, 3143, []),
        ("", 80, []),
    ],
)
def test_listeners_are_read_off_the_kernels_table(
    table: str, port: int, addresses: list[IPv4Address]
) -> None:
    assert listeners_in(table, port) == addresses
