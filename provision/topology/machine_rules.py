"""What has to hold between machines: one owner for each address and each server id."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from provision.topology.problems import Finding
from provision.topology.sketch import Sketch


def misplaced_addresses(
    machines: Sequence[Sketch], net: IPv4Network | None, *, has_gateway: bool
) -> Iterator[Finding]:
    """Find addresses that no machine can have in this network."""
    for machine in machines:
        if net and machine.address:
            fault = _fault(machine.address, net, has_gateway=has_gateway)
            if fault:
                right = f"pick one of {net[2]} to {net[-2]}"
                yield machine.finding("address", f"{machine.address} is {fault}; {right}")


def _fault(address: IPv4Address, net: IPv4Network, *, has_gateway: bool) -> str:
    reserved = {
        net.network_address: f"the address of the network {net} itself",
        net.broadcast_address: f"the broadcast address of the network {net}",
    }
    if has_gateway:
        reserved[net[1]] = "the gateway, which belongs to the host that runs the lab"
    return reserved.get(address, "" if address in net else f"outside the network {net}")


def shared_addresses(machines: Sequence[Sketch], net: IPv4Network | None) -> Iterator[Finding]:
    """Find addresses that an earlier machine has already."""
    owners: dict[IPv4Address, str] = {}
    for machine in machines:
        if machine.address:
            owner = owners.setdefault(machine.address, machine.name)
            if owner != machine.name:
                message = f"{machine.address} already belongs to {owner}; {_free(machines, net)}"
                yield machine.finding("address", message)


def shared_public_addresses(machines: Sequence[Sketch]) -> Iterator[Finding]:
    """Find public addresses that another machine has, as its own or as its public one."""
    for n, machine in enumerate(machines):
        others = [other for m, other in enumerate(machines) if m != n]
        for other in others if machine.public_address else []:
            earlier = other.public_address if other in machines[:n] else None
            if machine.public_address in (other.address, earlier):
                message = f"{machine.public_address} already belongs to {other.name}; correct one"
                yield machine.finding("public_address", message)


def _free(machines: Sequence[Sketch], net: IPv4Network | None) -> str:
    taken = {machine.address for machine in machines}
    highest = max((a for a in taken if a and net and a in net), default=None)
    if net is None or highest is None:
        return "pick one that no other machine has"
    # The next one up reads most naturally; below it there may be gaps that somebody keeps free.
    after = (net[n] for n in range(int(highest - int(net[0])) + 1, net.num_addresses - 1))
    before = (net[n] for n in range(2, net.num_addresses - 1))
    free = next((a for span in (after, before) for a in span if a not in taken), None)
    return f"{free} is free" if free else "no address is free: choose a larger network"


def shared_server_ids(machines: Sequence[Sketch]) -> Iterator[Finding]:
    """Find server ids of two machines, unless that only follows from a shared address."""
    for n, machine in enumerate(machines):
        for earlier in machines[:n]:
            if _collide(machine, earlier):
                chose, other = machine, earlier
                if not machine.server_id_chosen:
                    chose, other = earlier, machine
                yield _shared(chose, other)


def _collide(one: Sketch, other: Sketch) -> bool:
    both_chosen = one.server_id_chosen and other.server_id_chosen
    same = one.server_id is not None and one.server_id == other.server_id
    return same and (both_chosen or one.address != other.address)


def _shared(chooser: Sketch, owner: Sketch) -> Finding:
    whose = f"{chooser.server_id} is also the server id of {owner.name}"
    source = "" if owner.server_id_chosen else f" (from its address {owner.address})"
    right = "write another, or leave it out to take it from the address"
    return chooser.finding("server_id", f"{whose}{source}; {right}")
