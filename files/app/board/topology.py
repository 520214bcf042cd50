"""The machines of the system, as the file behind TOPOLOGY_JSON describes them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from board.config import ConfigError

DATABASE_ROLES = frozenset({"primary", "replica"})


@dataclass(frozen=True)
class Machine:
    """One machine and what it does."""

    name: str
    address: str
    roles: tuple[str, ...]

    @property
    def is_balancer(self) -> bool:
        """Whether requests from outside arrive here."""
        return not {"haproxy", "dns"}.isdisjoint(self.roles)

    @property
    def is_web(self) -> bool:
        """Whether Nginx and the application run here."""
        return "web" in self.roles

    @property
    def is_database(self) -> bool:
        """Whether MySQL runs here."""
        return not DATABASE_ROLES.isdisjoint(self.roles)


@dataclass(frozen=True)
class Topology:
    """All machines and how requests are spread over them."""

    domain: str
    load_balancing: str
    machines: tuple[Machine, ...]

    @classmethod
    def load(cls, path: str) -> "Topology":
        """Read the JSON file at path; raise ConfigError when it can't be used."""
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigError(f"TOPOLOGY_JSON: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"TOPOLOGY_JSON: {path}: {error!r}") from error

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Topology":
        """Build it from the decoded file."""
        machines = tuple(
            Machine(str(entry["name"]), str(entry["address"]), tuple(map(str, entry["roles"])))
            for entry in data["machines"]
        )
        return cls(str(data["domain"]), str(data["load_balancing"]), machines)

    def as_json(self) -> dict[str, Any]:
        """Give back what the file holds."""
        return {
            "domain": self.domain,
            "load_balancing": self.load_balancing,
            "machines": [
                {"name": m.name, "address": m.address, "roles": list(m.roles)}
                for m in self.machines
            ],
        }

    def name_of(self, host: str) -> str | None:
        """Name the machine that has this address, if any does."""
        return next((m.name for m in self.machines if m.address == host), None)
