"""A check asks for `web`, `replica` …, and runs once for each such machine; without one, never."""

from collections.abc import Iterable, Mapping

import pytest

from checks.lab import Lab
from provision.topology import Machine, Role


def machines_by_parameter(lab: Lab) -> Mapping[str, Iterable[Machine]]:
    """What each parameter stands for; who is primary is what the servers say.

    `followed_primary` is one with replicas and `lone_primary` one without; `neighbour` is a machine
    that has others beside it.
    """
    topology, primary = lab.topology, [lab.primary]
    return {
        "machine": topology.machines,
        "neighbour": topology.machines if len(topology.machines) > 1 else (),
        "load_balancer": [topology.load_balancer],
        "name_server": topology.with_role(Role.DNS),
        "web": lab.webs,
        "database": topology.databases,
        "primary": primary,
        "followed_primary": primary if lab.replicas else [],
        "lone_primary": [] if lab.replicas else primary,
        "replica": lab.replicas,
    }


def parametrize(metafunc: pytest.Metafunc, lab: Lab) -> None:
    """Give the check the machines that it asks for."""
    for parameter, machines in machines_by_parameter(lab).items():
        if parameter in metafunc.fixturenames:
            metafunc.parametrize(parameter, list(machines), ids=lambda machine: machine.name)


def has_its_machines(item: pytest.Item, lab: Lab) -> bool:
    """Whether this system has all the kinds of machines that a check asks for.

    pytest makes one item of a check without them, to be skipped; but nothing is missing there.
    """
    lacking = {name for name, found in machines_by_parameter(lab).items() if not list(found)}
    return lacking.isdisjoint(getattr(item, "fixturenames", ()))


def machines_of(item: pytest.Item) -> list[Machine]:
    """The machines that a check was parametrized with."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params.values() if callspec else ()
    return [each for each in parameters if isinstance(each, Machine)]
