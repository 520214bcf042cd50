"""How to reach the machines, as the ssh configuration says that their provider has written."""

from collections.abc import Iterable
from pathlib import Path

from paramiko import SSHConfig

from provision.connection.failures import UnreachableError
from provision.errors import QuartetError
from provision.lab.base import Endpoint


def endpoints(ssh_config: Path, names: Iterable[str]) -> dict[str, Endpoint | QuartetError]:
    """How to reach these machines, or why that's not known."""
    if not ssh_config.exists():
        raise QuartetError("the lab", "is not up: no machine has been booted", "./lab up")
    config = SSHConfig.from_path(str(ssh_config))
    known = config.get_hostnames()
    return {
        name: _endpoint(name, config)
        if name in known
        else UnreachableError(name, "is not running", f"./lab up --limit {name}")
        for name in names
    }


def _endpoint(name: str, config: SSHConfig) -> Endpoint:
    entry = config.lookup(name)
    jump = entry.get("proxyjump")
    return Endpoint(
        host=entry["hostname"],
        port=int(entry["port"]),
        user=entry["user"],
        keys=tuple(map(Path, entry.get("identityfile", []))),
        agent=entry.get("identitiesonly") != "yes",
        identity_agent=entry.get("identityagent", ""),
        jump=_endpoint(jump, config) if jump else None,
        proxy_command=entry.get("proxycommand", ""),
    )
