"""The parts that tests of roles and databases are made of: the repository's topology, variants."""

from dataclasses import fields, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from provision.mysql.cluster import as_described
from provision.roles.site import Site
from provision.secrets import SecretStore
from provision.topology import Machine, Role, Topology, load

ROOT = Path(__file__).parent.parent
TOPOLOGY = load(ROOT / "topology.yml")


def site_of(topology: Topology = TOPOLOGY, secrets: SecretStore | None = None) -> Site:
    """A site before any server was asked, with secrets in memory."""
    return Site(topology, secrets or SecretStore(None), as_described(topology))


def variant(topology: Topology = TOPOLOGY, **changes: Any) -> Topology:
    """The same topology with some facts changed; those of the application go by their own names."""
    own = {field.name for field in fields(topology.application)}
    of_application = {key: changes.pop(key) for key in list(changes) if key in own}
    application = replace(topology.application, **of_application)
    return replace(topology, application=application, **changes)


def with_third_web(topology: Topology = TOPOLOGY) -> Topology:
    """The same topology with web-03."""
    third = Machine(
        name="web-03", address=IPv4Address("192.168.56.14"), roles=(Role.WEB,), server_id=14
    )
    return replace(topology, machines=(*topology.machines, third))
