"""The lab's network must not collide with what its host has."""

import json
from ipaddress import IPv4Address, IPv4Network

import pytest

from provision.lab.network import fixed_mac, proxy_address
from provision.lab.overlap import overlaps

NETWORK = IPv4Network("10.9.8.0/24")


def addresses(interface: str, local: str, prefix: int) -> str:
    entry = {"family": "inet", "local": local, "prefixlen": prefix}
    return json.dumps([{"ifname": interface, "addr_info": [entry]}, {}])


def routes(**fields: str) -> str:
    return json.dumps([{"dst": "default", "dev": "eth0"}, fields])


@pytest.mark.parametrize(("local", "prefix"), [("10.9.8.7", 24), ("10.1.1.1", 8), ("10.9.8.9", 32)])
def test_address_in_the_network_is_an_overlap(local: str, prefix: int) -> None:
    [found] = overlaps(NETWORK, "devlab0", addresses("wlan0", local, prefix), "")
    assert "wlan0" in found


def test_the_labs_own_cable_is_none() -> None:
    own = addresses("devlab0", "10.9.8.1", 24)
    assert not list(overlaps(NETWORK, "devlab0", own, routes(dst="10.9.8.0/24", dev="devlab0")))


def test_neighbouring_network_is_none() -> None:
    assert not list(overlaps(NETWORK, "devlab0", addresses("eth1", "10.9.9.1", 24), ""))


@pytest.mark.parametrize("destination", ["10.9.8.0/25", "10.0.0.0/8", "10.9.8.77"])
def test_route_into_the_network_is_an_overlap(destination: str) -> None:
    [found] = overlaps(NETWORK, "devlab0", "", routes(dst=destination, dev="tun0"))
    assert destination in found
    assert "tun0" in found


@pytest.mark.parametrize("destination", ["default", "0.0.0.0/1", "192.168.0.0/16"])
def test_route_to_everything_else_is_none(destination: str) -> None:
    assert not list(overlaps(NETWORK, "devlab0", "", routes(dst=destination, dev="tun0")))


def test_bridge_keeps_one_unicast_local_mac() -> None:
    assert fixed_mac(IPv4Address("10.9.8.254")) == "02:00:0a:09:08:fe"


def test_proxy_gets_the_highest_address_that_nobody_has() -> None:
    taken = {IPv4Address("10.9.8.254"), IPv4Address("10.9.8.1")}
    assert proxy_address(NETWORK, taken) == IPv4Address("10.9.8.253")
