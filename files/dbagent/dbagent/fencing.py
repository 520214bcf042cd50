"""Closing this machine's own server to writes, whatever state it is in."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from dbagent import steps
from dbagent.mysql import Session, local
from dbagent.polling import is_reached
from dbagent.server import read_server
from dbagent.survey import FAILURES

CLOSE_S = 1
PATIENCE_S = 0.3
_WAITING = (
    "SELECT variable_value AS variable_value FROM performance_schema.global_status"
    " WHERE variable_name = 'Rpl_semi_sync_source_wait_sessions'"
)
STOPPED = Path("/run/dbagent.stopped")
RESTARTING_S = 30
UNIT = "mysql.service"
UNKNOWN = -1
SYSTEMD_S = 10
KILL_S = 5


def fence_for_stop(patience: float = 1) -> str:
    """Close the server because systemd is about to stop it, and note that this was asked for.

    A server that is stopped in peace acknowledges what waits for an acknowledgement, which nobody
    else may have; so it has to be closed, or killed, before. systemd calls this also when the
    server has ended by itself; then MAINPID is not set (systemd.service(5), ExecStop=). Should
    systemd be too busy to kill it, that is done here: what it does next is to stop it in peace.
    """
    if "MAINPID" not in os.environ:
        return "has ended by itself"
    STOPPED.touch()
    try:
        return fence(patience, is_urgent=False)
    except subprocess.TimeoutExpired as error:
        with suppress(ProcessLookupError):
            os.kill(int(os.environ["MAINPID"]), signal.SIGKILL)
        return f"was killed ({error})"


def is_restarting() -> bool:
    """Whether it was stopped on purpose so shortly ago that it may be on its way back."""
    try:
        return time.time() - STOPPED.stat().st_mtime < RESTARTING_S
    except FileNotFoundError:
        return False


def fence(patience: float = 1, *, is_urgent: bool = True) -> str:
    """Close the local server to writes, and say how.

    Where commits hang that nobody acknowledges, it can't be closed while it runs: then it is
    killed, at once if it `is_urgent`. It boots read-only (see files/mysql), so it comes back
    closed, with its data.
    """
    try:
        session = local(patience)
    except FAILURES:
        return _kill("it did not answer", patience)
    try:
        server = read_server(session, "", "", answer_s=CLOSE_S)
        if server.is_closed:
            return "was read-only already"
        if is_urgent and not is_reached(lambda: _waiting(session) == 0, PATIENCE_S * patience):
            return _kill("commits waited for an acknowledgement", patience)
        steps.close_to_writes(session, CLOSE_S)
    except FAILURES as error:
        return _kill(str(error), patience)
    finally:
        session.close()
    return "is read-only now"


def _waiting(session: Session) -> int:
    """How many commits wait for an acknowledgement."""
    return int(session.rows(_WAITING, answer_s=CLOSE_S)[0]["variable_value"])


def _kill(why: str, patience: float) -> str:
    """End mysqld at once, as a crash would; systemd starts it again.

    Raises subprocess.TimeoutExpired where systemd does not answer.
    """
    if process() == 0:
        return "was not running"
    command = ["systemctl", "kill", "--signal=KILL", UNIT]
    subprocess.run(command, check=False, timeout=KILL_S * patience)
    return f"was killed, and comes back read-only ({why})"


def process() -> int:
    """The process id of mysqld; 0 where it does not run, UNKNOWN where systemd doesn't say so."""
    command = ["systemctl", "show", "--property=MainPID", "--value", UNIT]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SYSTEMD_S
        )
    except subprocess.TimeoutExpired:
        return UNKNOWN
    said = done.stdout.strip()
    return int(said) if said.isdigit() else UNKNOWN


def start(within_s: float) -> bool:
    """Start the server where it is stopped, and wait until it answers; tell whether it does."""
    subprocess.run(["systemctl", "reset-failed", UNIT], check=False, timeout=10)
    subprocess.run(["systemctl", "start", "--no-block", UNIT], check=False, timeout=10)
    return is_reached(answers, within_s, poll_s=0.2)


def answers() -> bool:
    """Whether the local server answers."""
    try:
        session = local()
    except FAILURES:
        return False
    try:
        session.value("SELECT 1")
    except FAILURES:
        return False
    finally:
        session.close()
    return True
