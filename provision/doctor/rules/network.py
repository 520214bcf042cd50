"""Whether the lab's address range and ports are free on the host."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from provision.doctor.facts.network import HostNetwork
from provision.doctor.finding import Finding, error, ok, warning

ANY = IPv4Address(0)


def judge_range(
    network: IPv4Network, gateway: IPv4Address, host: HostNetwork | None, own: str
) -> Finding:
    """Tell whether the host has another use for these addresses.

    `own` is a pattern: the interface of such a name that has the gateway's address is the lab's.
    """
    if host is None:
        mend = f"see that nothing is in {network}: netstat -rn"
        return warning("network", "not told: no iproute2 here", mend)
    collisions = host.collisions(network, host.holder(gateway, own))
    if not collisions:
        return ok("network", f"{network} is free")
    mend = "stop what uses it, or pick another private network and addresses in topology.yml"
    return error("network", f"{network} overlaps with {collisions[0]}", mend)


def judge_port(
    port: int, purpose: str, gateway: IPv4Address, taken: Sequence[IPv4Address]
) -> Finding:
    """Tell whether a port is free; who has it on the gateway's address alone is the lab itself."""
    if ANY in taken:
        found = f"{port}, for {purpose}, is taken on all addresses"
        return error("port", found, f"stop who has it: ss -ltnp sport = :{port}")
    holder = "the lab's own" if gateway in taken else "free"
    return ok("port", f"{port}, for {purpose}, is {holder}")
