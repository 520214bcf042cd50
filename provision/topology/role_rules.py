"""What has to hold between roles: which are needed, how often, and which exclude each other."""

from collections.abc import Iterator, Sequence
from typing import Any

from provision.topology.models import Role
from provision.topology.problems import Finding
from provision.topology.sketch import Sketch
from provision.topology.values import shown

NEEDED = {
    Role.HAPROXY: "nothing would spread the requests",
    Role.WEB: "nothing would serve the application",
    Role.PRIMARY: "nothing would take writes, and a replica would have nothing to follow",
}
ONLY_ONE = {
    Role.HAPROXY: "only one load balancer is supported yet",
    Role.PRIMARY: "only one server may take writes",
}
LEAST_TO_AGREE = 3


def missing_roles(machines: Sequence[Sketch]) -> Iterator[Finding]:
    """Find roles that a lab can't be without and that no machine has."""
    for role, reason in NEEDED.items():
        if not any(machine.has(role) for machine in machines):
            message = f"no machine has the role {role}: {reason}; add {role} to a machine's roles"
            yield Finding(("machines",), message)


def repeated_roles(machines: Sequence[Sketch]) -> Iterator[Finding]:
    """Find machines with a role that an earlier one has and only one may have."""
    for role, reason in ONLY_ONE.items():
        holders = [machine for machine in machines if machine.has(role)]
        for machine in holders[1:]:
            first = holders[0].name
            message = f"{first} is {role} already, and {reason}; take {role} out of one"
            yield machine.finding("roles", message)


def torn_machines(machines: Sequence[Sketch]) -> Iterator[Finding]:
    """Find machines that would replicate from themselves."""
    for machine in machines:
        if machine.has(Role.PRIMARY) and machine.has(Role.REPLICA):
            message = "a machine can't be primary and replica at once; keep one of the two"
            yield machine.finding("roles", message)


def too_few_to_agree(data: dict[str, Any], machines: Sequence[Sketch]) -> Iterator[Finding]:
    """Find automatic failover where no two agents beside the primary's could agree on it."""
    databases = [each for each in machines if each.has(Role.PRIMARY) or each.has(Role.REPLICA)]
    match data:
        case {"database": {"failover": "automatic"}} if len(databases) < LEAST_TO_AGREE:
            message = (
                f"automatic needs at least {LEAST_TO_AGREE} database machines, and there are"
                f" {len(databases)}: two agents that are not the primary have to agree;"
                " give another machine the role replica, or write manual"
            )
            yield Finding(("database", "failover"), message)


def role_lists(machines: dict[str, Any]) -> Iterator[Finding]:
    """Find lists of roles that are empty or name one twice."""
    for name, block in machines.items():
        roles = block.get("roles") if isinstance(block, dict) else None
        if isinstance(roles, list):
            for message in _list_faults(roles):
                yield Finding(("machines", name, "roles"), message)


def _list_faults(roles: list[object]) -> Iterator[str]:
    if not roles:
        yield f"is an empty list; name one or more of {', '.join(Role)}"
    twice = {shown(role): role for n, role in enumerate(roles) if role in roles[:n]}
    for role in twice.values():
        yield f"names {role} twice; once is enough"
