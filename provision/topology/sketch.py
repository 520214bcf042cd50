"""A file's machines as far as they can be read, so that one mistake does not hide the others."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar

from provision.topology import addressing
from provision.topology.models import Role
from provision.topology.problems import Finding
from provision.topology.values import closest, whole_number

T = TypeVar("T")


@dataclass(frozen=True)
class Sketch:
    """What can be read of one machine; a misspelt role counts as the one that was meant."""

    name: str
    address: IPv4Address | None
    public_address: IPv4Address | None
    roles: tuple[str, ...]
    server_id: int | None
    server_id_chosen: bool

    def has(self, role: Role) -> bool:
        """Whether this is one of the machine's roles, as far as they can be read."""
        return role in self.roles

    def finding(self, key: str, message: str) -> Finding:
        """Report a mistake in one of the machine's values."""
        return Finding(("machines", self.name, key), message)


def usable_network(data: dict[str, Any]) -> IPv4Network | None:
    """Return the network to judge addresses by, or None where it is itself the mistake."""
    return _usable(addressing.nearest_network, data.get("network"))


def sketches(data: dict[str, Any]) -> list[Sketch]:
    """Read the file's machines in order, without those that are no block of keys."""
    machines, net = data.get("machines"), usable_network(data)
    if not isinstance(machines, dict):
        return []
    blocks = ((name, block) for name, block in machines.items() if isinstance(block, dict))
    return [_sketch(name, block, net) for name, block in blocks]


def _sketch(name: str, block: dict[str, Any], net: IPv4Network | None) -> Sketch:
    address = _usable(addressing.address, block.get("address"))
    chosen = "server_id" in block
    number = block.get("server_id") if chosen else _offset(address, net)
    server_id = _usable(whole_number(1, 2**32 - 1), number)
    public = _usable(addressing.address, block.get("public_address"))
    return Sketch(name, address, public, _roles(block.get("roles")), server_id, chosen)


def _offset(address: IPv4Address | None, net: IPv4Network | None) -> int | None:
    if address is None or net is None or address not in net:
        return None
    return int(address) - int(net.network_address)


def _roles(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(closest(role, Role) or "" for role in value)


def _usable(check: Callable[[Any], T], value: object) -> T | None:
    try:
        return check(value)
    except ValueError:
        return None
