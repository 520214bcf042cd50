"""topology.yml as typed facts: loaded once, and every mistake in it reported at once."""

from provision.topology.loading import load
from provision.topology.models import (
    Application,
    Backups,
    DataTier,
    Machine,
    Nspawn,
    Ports,
    Provider,
    Role,
    Ssh,
    Topology,
    Vagrant,
)
from provision.topology.problems import Problem, TopologyError

__all__ = [
    "Application",
    "Backups",
    "DataTier",
    "Machine",
    "Nspawn",
    "Ports",
    "Problem",
    "Provider",
    "Role",
    "Ssh",
    "Topology",
    "TopologyError",
    "Vagrant",
    "load",
]
