"""The system that a command is about: its description, its machines, and the ways to them."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from provision.connection import Access, SudoPassword, endpoints
from provision.console import ask_secret, say
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.lab import Lab, chosen_provider, current_ssh_config, open_lab
from provision.topology import Topology, load

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class System:
    """The system that a command is about; empty words mean what the folder and the file say."""

    topology_file: str = ""
    wished_provider: str = ""

    @cached_property
    def topology(self) -> Topology:
        """Its description."""
        named = self.topology_file or os.environ.get("QUARTET_TOPOLOGY")
        return load(Path(named) if named else ROOT / "topology.yml")

    @cached_property
    def provider(self) -> str:
        """Where its machines come from."""
        return chosen_provider(self.topology, self.wished_provider)

    @cached_property
    def access(self) -> Access:
        """What all connections to it share."""
        sudo = SudoPassword(ask_secret) if self.provider == "ssh" else None
        return Access(self.folder / "known_hosts", sudo)

    @property
    def folder(self) -> Path:
        """Where its keys, secrets and known hosts are kept."""
        return self.topology.state_folder

    def lab(self, packages: tuple[str, ...] = ()) -> Lab:
        """Return its machines' provider."""
        return open_lab(self.topology, say=say, packages=packages, provider=self.provider)

    def fleet(self, connect_s: float | None = None) -> Fleet:
        """Connect to all of its machines, in the background, each for at most so many seconds."""
        config = current_ssh_config(self.topology, say=say, provider=self.provider)
        names = [machine.name for machine in self.topology.machines]
        access = replace(self.access, connect_s=connect_s) if connect_s else self.access
        return Fleet(endpoints(config, names), access)

    def limited_to(self, limit: str | None) -> tuple[str, ...] | None:
        """The machines that --limit names, None without; naming nobody does not mean everybody."""
        if limit is None:
            return None
        machines = self.named(limit)
        if not machines:
            raise QuartetError("--limit", "names no machine", "leave it out to mean all of them")
        return machines

    def named(self, text: str) -> tuple[str, ...]:
        """Machines that were named in a command; QuartetError for one that doesn't exist."""
        return tuple(self.topology.machine(name).name for name in split(text))


def split(text: str) -> tuple[str, ...]:
    """Names that were given with commas between them."""
    return tuple(filter(None, (part.strip() for part in text.split(","))))
