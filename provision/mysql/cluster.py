"""Who is primary: read from the servers; topology.yml is asked only before there is any data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from provision.errors import QuartetError
from provision.mysql.gtid import GtidSet
from provision.mysql.state import DatabaseState
from provision.topology import Machine, Topology

States = Mapping[str, DatabaseState]


class NoPrimaryError(QuartetError):
    """The servers disagree, or too few of them answer, so that no primary can be told."""


@dataclass(frozen=True)
class Cluster:
    """The part that each database machine has, and what the primary said of itself.

    `primary_uuid` and `primary_executed` are empty where it didn't answer; `is_followed` tells
    whether any replica has a source, or may have one and can't be asked: then no commit of the
    primary may go unacknowledged.
    """

    primary: Machine
    replicas: tuple[Machine, ...]
    primary_uuid: str = ""
    primary_executed: GtidSet = field(default_factory=GtidSet)
    is_followed: bool = False


def as_described(topology: Topology) -> Cluster:
    """The cluster as topology.yml describes it, before any server was asked."""
    return _cluster(topology, topology.primary, {})


def decide(topology: Topology, states: States, *, is_founded: bool = False) -> Cluster:
    """Tell who is primary from what the servers say.

    `states` has the database machines that could be reached; `is_founded` tells that there was a
    primary once, so that servers which can't be asked may have data. Raises NoPrimaryError where
    two servers take writes, or where the one that has the data can't be told.
    """
    members = {name: state for name, state in states.items() if state.is_member}
    name = (
        _writable(members)
        or _followed(topology, members, states)
        or _most_advanced(topology, members, states, is_founded=is_founded)
        or topology.primary.name
    )
    return _cluster(topology, topology.machine(name), states, is_founded=is_founded)


def _cluster(
    topology: Topology, primary: Machine, states: States, *, is_founded: bool = False
) -> Cluster:
    replicas = tuple(machine for machine in topology.databases if machine != primary)
    itself = states.get(primary.name, DatabaseState())
    followed = any(state.source for name, state in states.items() if name != primary.name) or (
        is_founded and any(replica.name not in states for replica in replicas)
    )
    return Cluster(primary, replicas, itself.server_uuid, itself.gtid_executed, followed)


def _writable(members: States) -> str | None:
    writable = sorted(name for name, state in members.items() if state.is_writable_primary)
    if len(writable) > 1:
        raise NoPrimaryError(
            " and ".join(writable),
            "both take writes (split brain); nothing was changed",
            "decide whose data counts, then on the other one run"
            " `sudo mysql -e 'SET GLOBAL super_read_only=ON'` and `./lab provision` again",
        )
    return writable[0] if writable else None


def _followed(topology: Topology, members: States, states: States) -> str | None:
    """The server that the replicas follow: it is primary even while it is fenced or away."""
    hosts = {state.source.host for state in members.values() if state.source}
    followed = [machine.name for machine in topology.databases if str(machine.address) in hosts]
    if len(followed) != 1:
        return None
    state = states.get(followed[0])
    if state is not None and _lost_its_data(state):
        return None
    return followed[0] if state is None or state.source is None else None


def _lost_its_data(state: DatabaseState) -> bool:
    return state.is_blank or not (state.answers or state.configured)


def _most_advanced(
    topology: Topology, members: States, states: States, *, is_founded: bool
) -> str | None:
    """The member that has everything the others have; only safe when every server was asked."""
    silent = [m.name for m in topology.databases if m.name not in states or states[m.name].is_down]
    has_data = bool(members) or is_founded or any(state.is_down for state in states.values())
    if silent and has_data:
        raise NoPrimaryError(
            " and ".join(silent),
            "no primary is left among the databases that answer, and this one may have newer data",
            f"bring it back (`./lab up --limit {silent[0]}`) and run `./lab provision` again",
        )
    if not members:
        return None
    complete = [name for name, state in members.items() if _has_all(state, members)]
    if not complete:
        raise NoPrimaryError(
            " and ".join(sorted(members)),
            "no primary is left, and each has transactions that another lacks",
            "compare @@gtid_executed of them and decide whose data counts",
        )
    return min(complete, key=lambda name: _rank(name, members[name], topology))


def _has_all(state: DatabaseState, members: States) -> bool:
    return all(other.known <= state.known for other in members.values())


def _rank(name: str, state: DatabaseState, topology: Topology) -> tuple[bool, bool, str]:
    """Among equals: who has written before (a fresh clone has not), then the file's primary."""
    return (
        not state.gtid_executed.has_server(state.server_uuid),
        name != topology.primary.name,
        name,
    )
