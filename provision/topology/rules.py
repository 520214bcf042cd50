"""All that has to hold between a topology's parts, checked on whatever of them is usable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provision.topology import application_rules, machine_rules, role_rules, server_rules
from provision.topology.problems import Finding
from provision.topology.sketch import sketches, usable_network


def violations(data: dict[str, Any], base: Path) -> Iterator[Finding]:
    """Find each broken rule in the file's data; `base` is the folder that the file is in."""
    yield from application_rules.missing_folders(data.get("application"), base)
    machines = data.get("machines")
    if isinstance(machines, dict) and machines:
        yield from role_rules.role_lists(machines)
        yield from _between_machines(data)
    elif "machines" in data:
        message = "has to be a block with a machine's name as each key: 'lb-01: {address: …}'"
        yield Finding(("machines",), message)


def _between_machines(data: dict[str, Any]) -> Iterator[Finding]:
    machines, net = sketches(data), usable_network(data)
    has_gateway = not server_rules.is_ssh(data)
    yield from machine_rules.misplaced_addresses(machines, net, has_gateway=has_gateway)
    yield from machine_rules.shared_addresses(machines, net)
    yield from machine_rules.shared_public_addresses(machines)
    yield from machine_rules.shared_server_ids(machines)
    yield from role_rules.missing_roles(machines)
    yield from role_rules.repeated_roles(machines)
    yield from role_rules.torn_machines(machines)
    yield from role_rules.too_few_to_agree(data, machines)
    yield from server_rules.clashing_ports(data, machines)
    yield from server_rules.misused_loopback(data, machines, net)
