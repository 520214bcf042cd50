"""What the machine's configuration tells the agent: its peers, its accounts, and the limits."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = Path("/etc/dbagent/config.json")


class AgentError(Exception):
    """Something that a person can act on: where, what, and what to do next."""

    def __init__(self, where: str, what: str, next_step: str = "") -> None:
        super().__init__(f"{where}: {what}" + (f"\n  next: {next_step}" if next_step else ""))
        self.where, self.what, self.next_step = where, what, next_step


@dataclass(frozen=True)
class Login:
    """An account's name and password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Peer:
    """A database machine."""

    name: str
    address: str


@dataclass(frozen=True)
class Config:
    """The agent's settings; `machine` is the one that it runs on.

    `patience`: how many times longer than usual everything may take, and how many times more rarely
    servers are looked at, where machines are slow (see topology.yml).
    `off`: machines that whoever runs a command did not reach in time (see `mysql.dial`).
    """

    machine: str
    databases: tuple[Peer, ...]
    mysql_port: int
    agent_port: int
    ca: str
    manager: Login
    replication: Login
    clone: Login
    max_lag_s: float
    automatic: bool
    pause_s: float
    patience: float = 1
    off: frozenset[str] = frozenset()

    @classmethod
    def load(cls, path: Path = PATH) -> "Config":
        """Read the file that provisioning has written; AgentError where that can't be done."""
        try:
            return cls.from_json(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AgentError(str(path), f"can't be read: {error}", "./lab provision") from error

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Config":
        """Type what the file holds."""
        logins = {name: Login(**data[name]) for name in ("manager", "replication", "clone")}
        peers = tuple(Peer(**peer) for peer in data["databases"])
        return cls(**{**data, **logins, "databases": peers})

    @property
    def itself(self) -> Peer:
        """The machine that the agent runs on."""
        return self.peer(self.machine)

    @property
    def others(self) -> tuple[Peer, ...]:
        """The other database machines."""
        return tuple(peer for peer in self.databases if peer.name != self.machine)

    @property
    def acknowledgements(self) -> int:
        """How many replicas must have a commit before it is acknowledged.

        With half of the machines, any set of replicas that is large enough to promote one of them
        (see `enough_to_promote`) has at least one that holds every acknowledged transaction.
        """
        return max(1, len(self.databases) // 2)

    @property
    def majority(self) -> int:
        """On how many machines a lock has to be held."""
        count = len(self.databases)
        return count // 2 + 1 if count > 2 else 1  # noqa: PLR2004 of two, one may be dead

    def enough_to_promote(self, survivors: int) -> bool:
        """Whether so few replicas are out of sight that they can't acknowledge a write."""
        return len(self.databases) - 1 - survivors < self.acknowledgements

    def peer(self, name: str) -> Peer:
        """The machine of that name; AgentError where there is none."""
        for peer in self.databases:
            if peer.name == name:
                return peer
        known = ", ".join(peer.name for peer in self.databases)
        raise AgentError(name, "is no database machine", f"pick one of {known}")

    def at(self, address: str) -> Peer | None:
        """The machine with this address."""
        return next((peer for peer in self.databases if peer.address == address), None)
