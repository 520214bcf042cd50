"""Topologies of other shapes than the classic four, made from the classic file."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.e2e.sandbox import NETWORK

SMALL_MB = 512


def single_machine(topology_file: Path) -> None:
    """One machine that is everything: HAProxy on port 80, Nginx behind it on 8080, no replica."""
    roles = ["haproxy", "dns", "web", "primary"]
    machines = {"solo": {"address": f"{NETWORK}.20", "roles": roles, "memory_mb": 1024}}
    _rewrite(topology_file, machines, ports={"web": 8080})


def rented_server(topology_file: Path) -> Path:
    """The file for the single machine as its owner would write it, without a private network."""
    yaml = YAML()
    data = yaml.load(topology_file)
    address = data["machines"]["solo"]["address"]
    key = topology_file.parent / ".quartet" / "id_ed25519"
    data["name"], data["provider"], data["network"] = "rented", "ssh", "127.0.0.0/8"
    data["ssh"] = {"user": "quartet", "key": str(key)}
    data["machines"]["solo"] |= {
        "address": "127.0.0.1",
        "public_address": address,
        "ssh": {"host": address},
    }
    path = topology_file.with_name("production.yml")
    yaml.dump(data, path)
    return path


def ten_machines(topology_file: Path) -> None:
    """One load balancer, five web machines and four replicas; the primary is on the first web."""
    machines: dict[str, Any] = {"lb-01": _machine(10, "haproxy", "dns")}
    for number in range(1, 6):
        roles = ["web", "primary"] if number == 1 else ["web"]
        machines[f"web-{number:02}"] = _machine(10 + number, *roles)
    for number in range(1, 5):
        machines[f"db-{number:02}"] = _machine(20 + number, "replica")
    _rewrite(topology_file, machines)


def _machine(host: int, *roles: str) -> dict[str, Any]:
    return {"address": f"{NETWORK}.{host}", "roles": list(roles), "memory_mb": SMALL_MB}


def _rewrite(topology_file: Path, machines: dict[str, Any], **more: Any) -> None:
    yaml = YAML()
    data = yaml.load(topology_file)
    data["machines"] = machines
    data.update(more)
    yaml.dump(data, topology_file)
