"""What every provider of machines can do, whatever its machines are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

Say = Callable[[str], None]
SSH_PORT = 22


class MachineState(StrEnum):
    """What a machine is doing, as far as its host can tell."""

    RUNNING = "running"
    STOPPED = "stopped"
    ABSENT = "absent"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Endpoint:
    """How to reach a machine over SSH.

    `keys` are the private key files to offer, in this order; `agent` tells whether keys of the
    user's agent may be used too. `jump` is the host in between; `proxy_command` is a program that
    makes the connection instead, and `identity_agent` says which agent, as ssh_config(5) has them.
    """

    host: str
    port: int
    user: str
    keys: tuple[Path, ...] = ()
    agent: bool = False
    jump: "Endpoint | None" = None
    proxy_command: str = ""
    identity_agent: str = ""

    @property
    def known_as(self) -> str:
        """The name in known_hosts, as sshd(8) wants it: the port counts unless it is 22."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"


class Lab(Protocol):
    """Machines that can be made, switched and thrown away. `None` for names means all of them."""

    def up(self, names: Sequence[str] | None = None) -> None:
        """Create what is absent, boot what is stopped, and return once each lets us log in."""

    def halt(self, names: Sequence[str] | None = None) -> None:
        """Shut machines down as their own power button would."""

    def power_cut(self, names: Sequence[str] | None = None) -> None:
        """Stop machines at once, as if somebody had pulled the plug."""

    def reboot(self, names: Sequence[str] | None = None) -> None:
        """Restart running machines and return once each lets us log in again."""

    def destroy(self, names: Sequence[str] | None = None) -> None:
        """Remove machines with all that they hold; the last one takes the lab's network along."""

    def status(self) -> dict[str, MachineState]:
        """Say for each machine of the topology what it is doing; changes nothing."""

    def endpoint(self, name: str) -> Endpoint:
        """Say how to log in to a machine."""

    def ssh_config(self) -> Path:
        """Return the ssh configuration for the machines, brought up to date."""
