"""The data tier as its agents see it: who is primary, who follows, and whether all is well."""

import json
from dataclasses import dataclass
from typing import Any

from provision.drill.machines import Machines
from provision.errors import QuartetError
from provision.mysql.accounts import DATABASE
from provision.mysql.literals import literal
from provision.mysql.sql import CLIENT, rows
from provision.topology import Topology

STATUS = "exec timeout 10 dbagent status\n"
QUERY = 'exec timeout 60 "$@"\n'
_TEXTS = "SELECT text FROM messages WHERE text LIKE "
_FORGET = "DELETE FROM messages WHERE text LIKE "

Server = dict[str, Any]
"""One of the servers in an agent's status."""


@dataclass(frozen=True)
class Tier:
    """The database machines; any of them can be asked about all."""

    topology: Topology
    machines: Machines

    @property
    def names(self) -> list[str]:
        """The database machines, in the file's order."""
        return [machine.name for machine in self.topology.databases]

    def status(self) -> dict[str, Any]:
        """What the first agent that answers says of all servers; QuartetError where none does."""
        reasons: list[str] = []
        for name in self.names:
            try:
                return self._status_by(name)
            except (QuartetError, ValueError) as error:
                reasons.append(str(error))
        raise QuartetError("the databases", f"nobody knows their state: {'; '.join(reasons)}")

    def primary(self) -> str:
        """The name of the one that takes writes; QuartetError where there is none."""
        found = self.status()["primary"]
        if not found:
            raise QuartetError("the databases", "there is no primary", "./lab db.status")
        return str(found)

    def replicas(self) -> list[str]:
        """The names of the others."""
        primary = self.primary()
        return [name for name in self.names if name != primary]

    def texts(self, server: str, run: str) -> list[str]:
        """The texts of a run's messages that a server has, one for each row."""
        return [row[0] for row in self._sql(server, _TEXTS + _of(run))]

    def forget(self, run: str) -> None:
        """Remove a run's messages from the board."""
        self._sql(self.primary(), _FORGET + _of(run))

    def _sql(self, server: str, statement: str) -> list[list[str]]:
        command = [*CLIENT, f"--database={DATABASE}", f"--execute={statement}"]
        return rows(self.machines.run(server, QUERY, *command, timeout_s=90))

    def _status_by(self, name: str) -> dict[str, Any]:
        told = json.loads(self.machines.run(name, STATUS, timeout_s=15))
        if "error" in told:
            raise QuartetError(told["error"]["where"], told["error"]["what"])
        return dict(told)


def _of(run: str) -> str:
    return literal(f"drill {run} %")


def complaints(status: dict[str, Any]) -> list[str]:
    """What isn't as it should be; empty where one primary has all others as healthy replicas."""
    head, others = _parts(status)
    if head is None:
        return ["there is no primary"]
    told = [(head, each) for each in _complaints_of_primary(head, len(others))]
    told += [(server, each) for server in others for each in _complaints(server, head)]
    return [f"{server['name']} {complaint}" for server, complaint in told]


def strays(status: dict[str, Any]) -> list[str]:
    """The servers that ought to follow the primary and don't."""
    head, others = _parts(status)
    return [each["name"] for each in others if head is None or not _follows(each, head)]


def _parts(status: dict[str, Any]) -> tuple[Server | None, list[Server]]:
    """The primary, if there is one, and the other servers."""
    head = next((s for s in status["servers"] if s["name"] == status["primary"]), None)
    return head, [server for server in status["servers"] if server is not head]


def _complaints_of_primary(head: Server, replicas: int) -> list[str]:
    if head["role"] != "primary":
        return ["takes no writes"]
    clients = head["semi_sync_clients"]
    return [f"is acknowledged by {clients} of {replicas} replicas"] if clients != replicas else []


def _complaints(server: Server, head: Server) -> list[str]:
    if not _follows(server, head):
        return [f"does not follow {head['name']} ({server['error'] or server['role']})"]
    if server["errant"]:
        return [f"has transactions of its own: {server['errant']}"]
    return [f"lacks {server['lacks']} transactions"] if server["lacks"] else []


def _follows(server: Server, head: Server) -> bool:
    threads = (server["receiver"], server["applier"])
    is_sound = server["role"] == "replica" and threads == ("ON", "ON") and not server["error"]
    return is_sound and server["source"] == head["address"]
