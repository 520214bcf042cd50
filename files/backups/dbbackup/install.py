"""Putting restored data into the place of the live server's: it becomes a new primary.

The old data stay beside the new ones. A run that was cut off is finished by the next one, which
restores anew: what is not there any more need not be moved again. In between the site may take no
writes; to go on with the live data instead, `inv provision` starts what was stopped.
"""

import shutil
import subprocess
import time
from pathlib import Path

from dbbackup import scratch
from dbbackup.failures import BackupError
from dbbackup.moments import as_name, now
from dbbackup.sql import Server

LIVE = Path("/var/lib/mysql")
AGENT = "dbagent.service"
# Its next health check would start a stopped agent again.
AGENT_SOCKET = "dbagent.socket"
UNIT = "mysql.service"
ANSWER_TIMEOUT_S = 120


def stop(*, server_too: bool) -> None:
    """Stop the agent, so that it promotes nobody meanwhile, and the server."""
    _systemctl("stop", AGENT_SOCKET, AGENT, *([UNIT] if server_too else []))


def install(server: Server) -> Path | None:
    """Swap the data and start the server, read-only; returns where the old data are."""
    if not (scratch.DATA / "mysql.ibd").exists():
        raise BackupError("there are no restored data here", "run the same command again")
    _systemctl("stop", UNIT)
    kept = _moved_aside()
    scratch.DATA.chmod(0o700)
    shutil.move(scratch.DATA, LIVE)
    scratch.remove()
    _systemctl("start", UNIT)
    _wait_for(server)
    return kept


def open_for_writes(server: Server) -> None:
    """Let the server take writes, and start its agent again."""
    server.rows("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
    _systemctl("start", AGENT)  # which requires its socket, so that this starts, too


def _moved_aside() -> Path | None:
    if not LIVE.exists():
        return None
    kept = LIVE.with_name(f"{LIVE.name}.before-{as_name(now())}")
    LIVE.rename(kept)
    return kept


def _wait_for(server: Server) -> None:
    ends_at = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        try:
            server.value("1")
        except BackupError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.2)
        else:
            return


def _systemctl(verb: str, *units: str) -> None:
    command = ["systemctl", verb, *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise BackupError(
            f"{' '.join(command)}: {done.stderr.strip()}", f"journalctl -u {' -u '.join(units)}"
        )
