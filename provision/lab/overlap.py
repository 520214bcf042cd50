"""Whether the lab's network collides with what its host already has."""

import json
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network, ip_network

from provision.errors import QuartetError
from provision.lab.command import run

# Routes as wide as these catch "everything else": the default route, or the two halves of it that
# VPN clients set. The lab's own, narrower route takes precedence over them.
WIDEST_PREFIX = 1


def check_network_is_free(network: IPv4Network, own_interface: str) -> None:
    """Raise QuartetError if an address or a route of the host lies in the lab's network."""
    addresses = run(["ip", "-4", "-j", "addr"])
    routes = run(["ip", "-4", "-j", "route", "show", "table", "all"])
    taken = next(iter(overlaps(network, own_interface, addresses, routes)), None)
    if taken:
        raise QuartetError(
            "topology.yml: network",
            f"{network} overlaps with {taken} of this host",
            "pick another private network there, and the machines' addresses with it",
        )


def overlaps(network: IPv4Network, own: str, addresses: str, routes: str) -> Iterator[str]:
    """Describe each overlap, from what `ip -j addr` and `ip -j route` print."""
    for interface, subnet in _subnets(addresses):
        if interface != own and subnet.overlaps(network):
            yield f"{subnet} on interface {interface}"
    for interface, route in _routes(routes):
        if interface != own and route.prefixlen > WIDEST_PREFIX and route.overlaps(network):
            yield f"the route to {route}" + (f" through {interface}" if interface else "")


def _subnets(addresses: str) -> Iterator[tuple[str, IPv4Network]]:
    for link in json.loads(addresses or "[]"):
        for entry in link.get("addr_info", []):
            yield link["ifname"], IPv4Interface(f"{entry['local']}/{entry['prefixlen']}").network


def _routes(routes: str) -> Iterator[tuple[str, IPv4Network]]:
    for route in json.loads(routes or "[]"):
        if route["dst"] != "default" and route.get("type") not in {"local", "broadcast"}:
            destination = ip_network(route["dst"])
            if isinstance(destination, IPv4Network):
                yield route.get("dev", ""), destination
