"""Host keys: shown with their fingerprints, and recorded once a person has confirmed them."""

import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from provision.connection import Access, HostKey, offered_key
from provision.console import confirm, say
from provision.errors import QuartetError, raise_joined
from provision.lab import Endpoint, Lab
from provision.lab.client import SshClient
from provision.report import make_console, make_table
from provision.topology import Topology


@dataclass(frozen=True)
class Finding:
    """A host, the key that it shows, and the line that known_hosts has for it so far."""

    name: str
    endpoint: Endpoint
    key: HostKey
    known: str | None

    @property
    def state(self) -> str:
        """What a person has to know of it."""
        if self.known == self.key.line:
            return "[green]trusted already[/]"
        if self.known is not None:
            return "[bold red]CHANGED since it was trusted[/]"
        if self.key.line in _own_known_hosts(self.endpoint.known_as):
            return "[yellow]new[/]; the same as in your ~/.ssh/known_hosts"
        return "[yellow]new[/]"

    @property
    def is_trusted(self) -> bool:
        """Whether there is nothing to confirm."""
        return self.known == self.key.line


def trust(
    topology: Topology,
    lab: Lab,
    access: Access,
    machines: Sequence[str] | None = None,
    *,
    yes: bool = False,
) -> None:
    """Show the keys of the machines, and record them after a yes; `yes` says it in advance.

    Hosts in between come first: only over them the others can be asked. Raises QuartetError where
    a host doesn't answer or the keys are not confirmed.
    """
    if topology.provider != "ssh":
        raise QuartetError(
            topology.path.name,
            f"the host keys of {topology.provider} machines are recorded when they are booted",
            "./lab up",
        )
    lab.ssh_config()
    client = SshClient(topology.state_folder)
    chosen = machines or [machine.name for machine in topology.machines]
    endpoints = {name: lab.endpoint(name) for name in chosen}
    try:
        for layer in _layers(endpoints):
            _confirm(client, _findings(client, layer, access), yes=yes)
    finally:
        access.close()


def _layers(endpoints: Mapping[str, Endpoint]) -> list[dict[str, Endpoint]]:
    """The hosts to ask, those in between first."""
    jumps = [each.jump for each in endpoints.values() if each.jump]
    hops = {f"jump host {each.host}:{each.port}": each for each in jumps}
    return [*_layers(hops), dict(endpoints)] if hops else [dict(endpoints)]


def _findings(
    client: SshClient, endpoints: Mapping[str, Endpoint], access: Access
) -> list[Finding]:
    with ThreadPoolExecutor(len(endpoints)) as pool:
        asked = {
            name: pool.submit(_finding, client, name, endpoint, access)
            for name, endpoint in endpoints.items()
        }
    errors = [each.exception() for each in asked.values()]
    raise_joined([error for error in errors if isinstance(error, QuartetError)])
    return [each.result() for each in asked.values()]


def _finding(client: SshClient, name: str, endpoint: Endpoint, access: Access) -> Finding:
    gateway = access.gateway(endpoint)
    key = offered_key(name, endpoint, gateway)
    return Finding(name, endpoint, key, _known(client, endpoint))


def _known(client: SshClient, endpoint: Endpoint) -> str | None:
    for line in client.known():
        names, _, key = line.partition(" ")
        if endpoint.known_as in names.split(","):
            return key
    return None


def _confirm(client: SshClient, findings: Sequence[Finding], *, yes: bool) -> None:
    table = make_table("host", "address", "fingerprint of its key", "")
    for each in findings:
        address = f"{each.endpoint.host}:{each.endpoint.port}"
        table.add_row(each.name, address, f"{each.key.kind} {each.key.fingerprint}", each.state)
    make_console().print(table)
    new = [each for each in findings if not each.is_trusted]
    if not new:
        return
    say("compare them with what each machine says of itself:")
    say("  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub   (on its own console)")
    changed = [each.name for each in new if each.known is not None]
    if yes and changed:
        raise QuartetError(
            ", ".join(changed), "the host key has changed; --yes is for new ones", "./lab trust"
        )
    if not yes and not confirm(f"Trust {', '.join(each.name for each in new)}? [y/N] "):
        raise QuartetError("trust", "not confirmed; these keys were not recorded", "./lab trust")
    # known_as alone: one line for a host, whatever it is called in topology.yml.
    client.trust({each.endpoint.known_as: (each.endpoint.known_as, each.key.line) for each in new})
    say(f"recorded in {client.known_hosts}")


def _own_known_hosts(name: str) -> str:
    """What the person's own known_hosts has for a host, hashed names included."""
    try:
        found = subprocess.run(
            ["ssh-keygen", "-F", name], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout
