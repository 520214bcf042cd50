"""What forbids to change anything: a machine that already serves somebody, in a way we would break.

Each module looks at what machines answered and returns errors; nothing is run here.
"""

from collections.abc import Iterator, Mapping

from provision.errors import QuartetError
from provision.refusals import databases, dns, names, ports, servers, sites
from provision.resources import Fact, Snapshot
from provision.topology import Machine, Topology

_KINDS = (servers, ports, sites, dns, names, databases)


def facts(machine: Machine) -> list[Fact]:
    """What has to be known of a machine to refuse it."""
    return [fact for kind in _KINDS for fact in kind.facts(machine)]


def refusals(topology: Topology, snapshots: Mapping[str, Snapshot]) -> list[QuartetError]:
    """Everything that stands against provisioning these machines."""
    return [
        error
        for machine in topology.machines
        if machine.name in snapshots
        for error in _of(machine, topology, snapshots[machine.name])
    ]


def _of(machine: Machine, topology: Topology, snapshot: Snapshot) -> Iterator[QuartetError]:
    for kind in _KINDS:
        yield from kind.refusals(machine, topology, snapshot)
