"""Whose turn it is to dump: the first usable replica, or the primary where there is none."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from dbbackup.config import Config
from dbbackup.failures import BackupError
from dbbackup.sql import Server

AGENT = "/usr/local/sbin/dbagent"
AGENT_TIMEOUT_S = 30
_HEALTH = """
SELECT @@server_uuid, @@super_read_only, @@version,
  (SELECT COUNT(*) FROM performance_schema.replication_connection_configuration WHERE host <> ''),
  (SELECT COUNT(*) FROM performance_schema.replication_connection_status
    WHERE service_state = 'ON'),
  (SELECT COUNT(*) FROM performance_schema.replication_applier_status WHERE service_state = 'ON')
"""


def health(server: Server) -> dict[str, Any]:
    """What the local server says of itself."""
    try:
        uuid, read_only, version, sources, receiving, applying = server.rows(_HEALTH)[0]
        executed = server.executed
    except BackupError as error:
        return {"answers": False, "role": "unreachable", "error": str(error)}
    replicates = receiving != "0" and applying != "0"
    role = "replica" if sources != "0" else "fenced" if read_only == "1" else "primary"
    usable = role == "primary" or (role == "replica" and replicates and read_only == "1")
    return {
        "answers": True,
        "role": role,
        "usable": usable,
        "server_uuid": uuid,
        "version": version,
        "executed": executed,
    }


def is_our_turn(config: Config, server: Server) -> bool:
    """Whether this machine is to dump, as the database agent sees it.

    Where no agent can tell, each usable replica takes it that it is: two dumps are better
    than none.
    """
    try:
        status = _status()
    except (OSError, subprocess.SubprocessError, ValueError):
        own = health(server)
        return bool(own.get("usable")) and (own["role"] == "replica" or len(config.databases) == 1)
    return choose(status["servers"], config.databases, config.max_lag_s) == config.machine


def choose(
    servers: Sequence[Mapping[str, Any]], order: Sequence[str], max_lag_s: float
) -> str | None:
    """The first usable replica in the topology's order, else the primary, else nobody."""
    known = {each["name"]: each for each in servers}
    candidates = [known[name] for name in order if name in known]
    replicas = [each["name"] for each in candidates if _is_usable(each, max_lag_s)]
    primaries = [each["name"] for each in candidates if each["role"] == "primary"]
    return next(iter([*replicas, *primaries]), None)


def _is_usable(server: Mapping[str, Any], max_lag_s: float) -> bool:
    return bool(
        server["role"] == "replica"
        and server["answers"]
        and not server["error"]
        and server["receiver"] == "ON"
        and server["applier"] == "ON"
        and (server["lag_s"] or 0) <= max_lag_s
    )


def _status() -> dict[str, Any]:
    command = [AGENT, "status"]
    done = subprocess.run(command, capture_output=True, timeout=AGENT_TIMEOUT_S, check=True)
    status: dict[str, Any] = json.loads(done.stdout)
    return status
