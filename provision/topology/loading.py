"""From a file to a Topology; what was validated before is remembered.

Reading YAML and validating it costs as much as asking a machine does, and most commands meet the
file as the last one did.
"""

from dataclasses import replace
from pathlib import Path

from provision.topology import memory
from provision.topology.application_rules import missing_folders
from provision.topology.models import Topology
from provision.topology.source import text_of


def load(path: Path) -> Topology:
    """Load the lab that the file describes; raises TopologyError with every mistake in it."""
    path = path.absolute()
    text = text_of(path)
    topology = memory.recall(path, text)
    if topology is None or _lacks_folders(topology):
        from provision.topology.validation import validated  # noqa: PLC0415

        topology = validated(path, text)
        memory.remember(topology, text)
    # A link, such as to a release, may lead elsewhere next time.
    application = replace(topology.application, path=topology.application.path.resolve())
    return replace(topology, application=application)


def _lacks_folders(topology: Topology) -> bool:
    application = topology.application
    described = {"path": application.path, "static": application.static}
    return any(missing_folders(described, topology.path.parent))
