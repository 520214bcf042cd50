"""What of the host's network could be in a lab's way."""

import json
import re
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from provision.doctor.facts.asking import ask
from provision.doctor.facts.files import text_of
from provision.lab.overlap import overlaps

LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp, whose addresses are in the processor's byte order
TCP, TCP6 = Path("/proc/net/tcp"), Path("/proc/net/tcp6")
ANY6 = "0" * 32


@dataclass(frozen=True)
class HostNetwork:
    """What `ip -4 -j addr` and `ip -4 -j route` print."""

    addresses: str
    routes: str

    def holder(self, address: IPv4Address, pattern: str) -> str:
        """Name the interface of such a name that has this address, or none."""
        for link in json.loads(self.addresses or "[]"):
            held = {entry.get("local") for entry in link.get("addr_info", [])}
            if str(address) in held and re.fullmatch(pattern, link["ifname"]):
                return str(link["ifname"])
        return ""

    def collisions(self, network: IPv4Network, own: str) -> list[str]:
        """Describe what overlaps with a network, leaving its own interface aside."""
        return list(overlaps(network, own, self.addresses, self.routes))


def host_network() -> HostNetwork | None:
    """Ask ip(8), which macOS doesn't have."""
    addresses = ask(["ip", "-4", "-j", "addr"])
    routes = ask(["ip", "-4", "-j", "route", "show", "table", "all"])
    if not (addresses.succeeded and routes.succeeded):
        return None
    return HostNetwork(addresses.out, routes.out)


def listeners(port: int) -> list[IPv4Address]:
    """List the IPv4 addresses on which somebody listens on this TCP port."""
    return listeners_in((text_of(TCP) or "") + (text_of(TCP6) or ""), port)


def listeners_in(table: str, port: int) -> list[IPv4Address]:
    """Read them off /proc/net/tcp and tcp6; who listens on all of IPv6 has IPv4 as well."""
    rows = [line.split() for line in table.splitlines() if "local_address" not in line]
    sockets = [row[1].split(":") for row in rows if row[3] == LISTENING]
    words = [word for word, number in sockets if int(number, 16) == port]
    return [_address(word) for word in words if len(word) < len(ANY6) or word == ANY6]


def _address(word: str) -> IPv4Address:
    number = int.from_bytes(bytes.fromhex(word[:8]), "big")
    return IPv4Address(number.to_bytes(4, sys.byteorder))
