"""A check asks for `web`, `replica` …, and runs once for each such machine."""

from collections.abc import Iterable, Mapping

import pytest

from checks.lab import Lab
from provision.topology import Machine, Role


def machines_by_parameter(lab: Lab) -> Mapping[str, Iterable[Machine]]:
    """What each parameter stands for; who is primary is what the servers say."""
    topology = lab.topology
    return {
        "machine": topology.machines,
        "load_balancer": topology.with_role(Role.HAPROXY),
        "name_server": topology.with_role(Role.DNS),
        "web": lab.webs,
        "database": topology.databases,
        "primary": [lab.primary],
        "replica": lab.replicas,
    }


def parametrize(metafunc: pytest.Metafunc, lab: Lab) -> None:
    """Give the check the machines that it asks for."""
    for parameter, machines in machines_by_parameter(lab).items():
        if parameter in metafunc.fixturenames:
            metafunc.parametrize(parameter, list(machines), ids=lambda machine: machine.name)


def machines_of(item: pytest.Item) -> list[Machine]:
    """The machines that a check was parametrized with."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params.values() if callspec else ()
    return [each for each in parameters if isinstance(each, Machine)]
