"""The server as such: its distribution, and whether it is the one that the file means."""

from collections.abc import Iterator

from provision.distribution import ADDRESSES, DISTRIBUTION, addresses_of, distribution_of
from provision.errors import QuartetError
from provision.refusals import ours
from provision.refusals.ports import settings_of
from provision.resources import Fact, Snapshot
from provision.topology import Machine, Topology


def facts(machine: Machine) -> list[Fact]:
    """What has to be known of the server."""
    return [DISTRIBUTION, ours.unless_ours(ADDRESSES, *settings_of(machine))]


def refusals(machine: Machine, topology: Topology, snapshot: Snapshot) -> Iterator[QuartetError]:
    """Find a distribution that isn't Debian's kind, and an address that isn't the server's."""
    found = distribution_of(snapshot)
    if not found.has_apt:
        yield QuartetError(
            machine.name,
            f"runs {found.title or found.family}; Quartet installs Debian packages",
            "use a server with Debian or Ubuntu",
        )
    own = addresses_of(snapshot)
    if own and str(machine.address) not in own:
        yield QuartetError(
            machine.name,
            f"has no address {machine.address}; the server we logged in to has {', '.join(own)}",
            f"correct machines.{machine.name}.address or its ssh.host in {topology.path.name}",
        )
