"""The servers as data, for the table of `inv db.status` and for programs."""

from typing import Any

from dbagent.config import AgentError
from dbagent.health import HEARTBEAT_S
from dbagent.peers import Word, words
from dbagent.server import Server
from dbagent.survey import View

ANSWER_S = 3.0
"""Nothing is decided by it, so an agent may take its time."""


def as_json(view: View) -> dict[str, Any]:
    """Everybody's part, what each lacks, and who would be promoted."""
    primary, problem = _primary(view)
    candidate = view.candidate()
    asked = tuple(view.config.peer(server.name) for server in view.answering)
    agents = words(view.config, asked, ANSWER_S)
    return {
        "primary": primary.name if primary else None,
        "candidate": candidate.name if candidate else None,
        "problem": problem,
        "automatic": view.config.automatic,
        "max_lag_s": view.config.max_lag_s,
        "acknowledgements": view.config.acknowledgements,
        "servers": [
            _server(view, server, primary, agents.get(server.name))
            for server in view.servers.values()
        ],
    }


def _primary(view: View) -> tuple[Server | None, str]:
    """The primary, or what is wrong where two say that they are."""
    try:
        return view.primary, ""
    except AgentError as error:
        return None, str(error)


def _server(
    view: View, server: Server, primary: Server | None, agent: Word | None
) -> dict[str, Any]:
    lacks = primary.executed - server.executed if primary and primary.answers else None
    errant = view.errant(server, primary) if primary and server is not primary else None
    return {
        "name": server.name,
        "address": server.address,
        "answers": server.answers,
        "role": _role(server),
        "agent": agent is not None,
        "closed_because": agent.closed_because if agent else "",
        "server_uuid": server.server_uuid,
        "super_read_only": server.super_read_only,
        "source": server.source,
        "receiver": server.receiver,
        "applier": server.applier,
        "lag_s": round(_lag_s(server), 3),
        "executed": str(server.executed),
        "received": str(server.received),
        "lacks": len(lacks) if lacks is not None and server.answers else None,
        "unapplied": len(server.received - server.executed),
        "errant": str(errant or ""),
        "semi_sync_source": server.semi_sync_source,
        "semi_sync_clients": server.semi_sync_clients,
        "error": server.error,
        "version": server.version,
    }


def _role(server: Server) -> str:
    if not server.answers:
        return "unreachable"
    if server.is_writable:
        return "primary"
    return "replica" if server.source else "fenced"


def _lag_s(server: Server) -> float:
    return max(0.0, server.travelled_s, server.silent_s - HEARTBEAT_S) if server.source else 0.0
