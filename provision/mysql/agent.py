"""The agent's command on a database machine, and its refusals as errors that a person reads."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from provision.errors import QuartetError
from provision.resources import Host
from provision.site_paths import DATABASE_AGENT_CONFIG

COMMAND = "/usr/local/sbin/dbagent"
OPEN_TIMEOUT_S = 60
_IS_THERE = f"[ -x {COMMAND} ] && [ -f {DATABASE_AGENT_CONFIG} ] && echo yes || :"


def is_there(host: Host) -> bool:
    """Whether the machine has its agent already."""
    return host.run(_IS_THERE).strip() == "yes"


def open_primary(host: Host, reclone: Sequence[str]) -> None:
    """Let the server take writes, once its agent has made sure that nobody else does.

    Those to `reclone` may have transactions of their own.
    """
    command = [COMMAND, "open", "--by", "provisioning", "--without", ",".join(reclone)]
    try:
        host.run(shlex.join(command), timeout_s=OPEN_TIMEOUT_S)
    except QuartetError as error:
        raise refusal(error) from error


def refusal(error: QuartetError) -> QuartetError:
    """What the agent said, where it was the agent that ended the command."""
    output: str = getattr(error, "output", "")
    try:
        told: dict[str, Any] = json.loads(output.strip().splitlines()[0])["error"]
        return QuartetError(told["where"], told["what"], told["next"])
    except (ValueError, KeyError, IndexError, TypeError):
        return error
