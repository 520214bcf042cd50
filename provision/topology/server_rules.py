"""What has to hold on one machine that is several things at once, or that is not a lab's."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from typing import Any

from pydantic import TypeAdapter, ValidationError

from provision.topology.addressing import LOOPBACK
from provision.topology.models import Ports, Role
from provision.topology.problems import Finding
from provision.topology.sketch import Sketch


def clashing_ports(data: dict[str, Any], machines: Sequence[Sketch]) -> Iterator[Finding]:
    """Find ports that two roles of one machine would both listen on."""
    ports = _ports(data)
    clashes: dict[tuple[str, str], list[str]] = {}
    for machine in machines if ports else ():
        for clash in _clashes(ports, _used_by(machine)):
            clashes.setdefault(clash, []).append(machine.name)
    for (first, name), where in clashes.items():
        message = (
            f"{', '.join(where)} would listen on port {getattr(ports, name)} twice,"
            f" for {first} and for {name}; give one another port under 'ports:'"
        )
        yield Finding(("ports", name), message)


def _clashes(ports: Ports | None, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Find those of these keys whose port an earlier one has already, with that one."""
    holders: dict[int, str] = {}
    for name in names:
        first = holders.setdefault(getattr(ports, name), name)
        if first != name:
            yield first, name


def _ports(data: dict[str, Any]) -> Ports | None:
    try:
        return TypeAdapter(Ports).validate_python(data.get("ports") or {})
    except ValidationError:
        return None


def _used_by(machine: Sketch) -> list[str]:
    """The keys of `ports:` that the machine's roles listen on."""
    used = {
        Role.HAPROXY: ("http", "haproxy_stats"),
        Role.DNS: ("dns",),
        Role.WEB: ("web", "database_writes", "database_reads"),
        Role.PRIMARY: ("mysql", "database_agent"),
        Role.REPLICA: ("mysql", "database_agent"),
    }
    names = [name for role, keys in used.items() if machine.has(role) for name in keys]
    return list(dict.fromkeys(names))


def misused_loopback(
    data: dict[str, Any], machines: Sequence[Sketch], net: IPv4Network | None
) -> Iterator[Finding]:
    """Find a network that only a machine itself can reach, where others would have to."""
    if net and net.subnet_of(LOOPBACK) and (len(machines) > 1 or not is_ssh(data)):
        message = f"{net} reaches no other machine; it is for a single server with provider ssh"
        yield Finding(("network",), message)


def is_ssh(data: dict[str, Any]) -> bool:
    """Whether the machines are servers that exist already."""
    return data.get("provider") == "ssh"
