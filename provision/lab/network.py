"""The lab's network: a namespace of its own with a bridge, and one cable to the host.

    host: <lab>0, the gateway address ── cable ── uplink ┐
    namespace quartet-<lab>:                             ├ bridge lab, the proxy address
    each machine: host0 in a namespace of its own ───────┘

No packet crosses the host's own firewall between machines, whatever Docker or others made of it;
no sysctl of the host changes; and removing the namespace removes everything in it.
"""

import json
import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.command import run, succeeds
from provision.lab.mounts import is_mounted
from provision.lab.overlap import check_network_is_free
from provision.lab.places import Places

BRIDGE = "lab"
BRIDGE_OPTIONS = "stp_state 0 forward_delay 0 mcast_snooping 0"  # forward from the first packet
LINKS = Path("/sys/class/net")


@dataclass(frozen=True)
class LabNetwork:
    """The network of one lab; `proxy` is where machines find the package cache."""

    places: Places
    network: IPv4Network
    gateway: IPv4Address
    proxy: IPv4Address

    @property
    def cable(self) -> str:
        """The host's end of the cable; an interface name has at most 15 letters."""
        return f"{self.places.lab}0"

    @property
    def inside(self) -> list[str]:
        """Words that run a program in the lab's namespace."""
        return ["nsenter", f"--net={self.places.namespace}"]

    def ensure_up(self) -> None:
        """Make the network unless it's there; raises QuartetError where it collides."""
        if self.is_up():
            return
        self._check_cable_is_ours()
        check_network_is_free(self.network, self.cable)
        self.remove()
        run(["ip", "netns", "add", self.places.namespace.name])
        _batch(["-n", self.places.namespace.name], self._inner_half())
        _batch([], self._outer_half())

    def is_up(self) -> bool:
        """Tell whether both ends are there with their addresses; the host's end comes last."""
        return is_mounted(self.places.namespace) and str(self.gateway) in self._cable_addresses()

    def remove(self) -> None:
        """Remove what there is of it."""
        if is_mounted(self.places.namespace):
            succeeds(["ip", "-n", self.places.namespace.name, "link", "del", "uplink"])
            run(["ip", "netns", "del", self.places.namespace.name])
        else:
            self.places.namespace.unlink(missing_ok=True)
        _leave_no_namespace_folder(self.places.namespace.parent)

    def _inner_half(self) -> list[str]:
        prefix = self.network.prefixlen
        return [
            "link set lo up",
            f"link add {BRIDGE} address {fixed_mac(self.proxy)} type bridge {BRIDGE_OPTIONS}",
            f"addr add {self.proxy}/{prefix} dev {BRIDGE}",
            f"link set {BRIDGE} up",
            f"link add uplink type veth peer name {self.cable}",
            f"link set uplink master {BRIDGE} up",
            f"link set {self.cable} alias {self._mark}",
            f"link set {self.cable} netns {os.getpid()}",
        ]

    def _outer_half(self) -> list[str]:
        return [
            f"link set {self.cable} addrgenmode none up",
            f"addr add {self.gateway}/{self.network.prefixlen} dev {self.cable}",
        ]

    @property
    def _mark(self) -> str:
        return f"quartet-{self.places.lab}"

    def _cable_addresses(self) -> list[str]:
        links = json.loads(run(["ip", "-4", "-j", "addr"]))
        ours = [link for link in links if link.get("ifname") == self.cable]
        return [entry["local"] for link in ours for entry in link["addr_info"]]

    def _check_cable_is_ours(self) -> None:
        alias = LINKS / self.cable / "ifalias"
        if alias.exists() and alias.read_text().strip() != self._mark:
            raise QuartetError(
                "topology.yml: name",
                f"this host has an interface {self.cable} that isn't the lab's",
                "give the lab another name",
            )


def proxy_address(network: IPv4Network, taken: set[IPv4Address]) -> IPv4Address:
    """Pick the network's highest host address that nobody has."""
    candidates = (network.broadcast_address - step for step in range(1, network.num_addresses - 1))
    return next(address for address in candidates if address not in taken)


def fixed_mac(address: IPv4Address) -> str:
    """Derive a locally administered MAC address from an address.

    A bridge without one of its own takes the lowest of its ports', so it would change with every
    machine that comes or goes, and its neighbours would go on writing to the old one.
    """
    return ":".join(f"{byte:02x}" for byte in (2, 0, *address.packed))


def _leave_no_namespace_folder(folder: Path) -> None:
    """Undo what `ip netns add` does once per host, when nobody else has a namespace there."""
    if is_mounted(folder) and not any(folder.iterdir()):
        run(["umount", str(folder)])


def _batch(options: list[str], lines: list[str]) -> None:
    run(["ip", *options, "-batch", "-"], stdin="\n".join(lines) + "\n")
