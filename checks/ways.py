"""How a port of a machine is reached from here: directly, or over the SSH connection to it.

A lab's machines are on a network of this host's. Servers that exist already are where only SSH
leads, except for what they show to everybody.
"""

from dataclasses import dataclass
from typing import Protocol

from checks.ssh import Masters
from provision.topology import Machine, Role, Topology

LOOPBACK = "127.0.0.1"
FORBIDDEN = "administratively prohibited"


class Way(Protocol):
    """Leads to one port."""

    @property
    def carries_udp(self) -> bool:
        """Whether datagrams get through as well."""

    def open(self) -> tuple[str, int]:
        """Return the address and port to connect to; raises OSError where there's no way."""

    def complaint(self) -> str:
        """Say why connections broke, where the way knows more than who connected."""


@dataclass(frozen=True)
class Direct:
    """Nothing in between."""

    address: str
    port: int
    carries_udp = True

    def open(self) -> tuple[str, int]:
        """Return the port itself."""
        return self.address, self.port

    def complaint(self) -> str:
        """Nothing: an error says it all."""
        return ""


@dataclass(frozen=True)
class Tunnel:
    """A port on the loopback here, which SSH leads to the port as the machine `via` reaches it."""

    masters: Masters
    via: str
    address: str
    port: int
    carries_udp = False

    def open(self) -> tuple[str, int]:
        """Return this end; the way is made when it is first asked for."""
        return LOOPBACK, self.masters.forward(self.via, self.address, self.port)

    def complaint(self) -> str:
        """Say what happened at the other end, which looks like a hung-up connection here."""
        said = self.masters.complaint(self.via)
        if FORBIDDEN in said:
            return f"sshd on {self.via} forwards nothing (AllowTcpForwarding, PermitOpen)"
        return said


@dataclass(frozen=True)
class Ways:
    """The one place that decides how machines are reached."""

    topology: Topology
    masters: Masters

    @property
    def lead_through_ssh(self) -> bool:
        """Whether private addresses can't be reached from here."""
        return self.topology.provider == "ssh"

    def to(self, machine: Machine, port: int) -> Way:
        """Return the way to a TCP port of a machine."""
        if not self.lead_through_ssh:
            return Direct(str(machine.address), port)
        if machine.public_address and port in self._public_ports(machine):
            return Direct(str(machine.public_address), port)
        return Tunnel(self.masters, machine.name, str(machine.address), port)

    def through(self, machine: Machine, address: str, port: int) -> Way:
        """Return the way that starts on a machine, whose address the other end sees."""
        return Tunnel(self.masters, machine.name, address, port)

    def _public_ports(self, machine: Machine) -> set[int]:
        ports = self.topology.ports
        by_role = {Role.HAPROXY: ports.http, Role.DNS: ports.dns}
        return {port for role, port in by_role.items() if machine.has(role)}
