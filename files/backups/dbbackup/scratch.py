"""A second mysqld beside the live one, out of anybody's reach, to restore into.

It runs as a transient unit. In place of the live server's data and socket it sees folders of its
own under the same names, so that it can't touch the live ones (and AppArmor's rules for mysqld
hold), and it has no network. Root looks into it through its socket. A lock tells that somebody is
restoring; without it, and without a note that it is to be kept or that its data wait to become the
live ones, it is left over, and removed.
"""

import fcntl
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dbbackup.failures import BackupError
from dbbackup.sql import Server

ROOT = Path("/var/lib/dbbackup-scratch")
LOCK = Path("/run/lock/dbbackup-scratch.lock")
UNIT = "dbbackup-scratch"
SOCKET = ROOT / "run/mysqld.sock"
DATA = ROOT / "data"
KEPT = ROOT / "kept"
WAITING = ROOT / "waiting"
WAITING_S = 3600
"""Until then all servers have been stopped, and the data installed, or nobody is about to."""
START_TIMEOUT_S = 180
LOCK_WAIT_S = 120
_MYSQLD = (
    "/usr/sbin/mysqld",
    "--no-defaults",
    "--datadir=/var/lib/mysql",
    "--socket=/run/mysqld/mysqld.sock",
    "--pid-file=/run/mysqld/mysqld.pid",
    "--mysqlx=OFF",
)
# Small, quick and forgetful: were it to crash, everything is restored anew.
_SETTINGS = (
    "--skip-networking",
    "--skip-log-bin",
    "--skip-replica-start",
    "--server-id=1",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--event-scheduler=OFF",
    "--plugin-load-add=auth_socket.so",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=0",
    "--max-allowed-packet=1G",
)


@contextmanager
def held(within_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Be the only one who restores here.

    One whose caller has died notices that, and removes what it began: it is waited for.
    """
    with LOCK.open("a") as file:
        ends_at = time.monotonic() + within_s
        while not _is_taken(file):
            if time.monotonic() > ends_at:
                raise BackupError("another restore is under way here", "wait for it")
            time.sleep(0.2)
        yield


def prepare() -> None:
    """Make room for a new one; BackupError where one is kept."""
    if KEPT.exists():
        raise BackupError(
            f"a restored server is kept here ({KEPT.read_text().strip()})",
            "look into it, or remove it: ./lab db.restore --drop",
        )
    _stop()
    WAITING.unlink(missing_ok=True)
    for name in ("data", "run"):
        shutil.rmtree(ROOT / name, ignore_errors=True)
        (ROOT / name).mkdir(parents=True)
        shutil.chown(ROOT / name, "mysql", "mysql")
    ROOT.chmod(0o700)


def start(lower_case_table_names: int) -> Server:
    """Initialise and start it; returns the way in."""
    case = f"--lower-case-table-names={lower_case_table_names}"
    _run(f"{UNIT}-init", "--wait", *_MYSQLD, case, "--initialize-insecure")
    _run(UNIT, *_MYSQLD, case, *_SETTINGS)
    server = Server(SOCKET)
    ends_at = time.monotonic() + START_TIMEOUT_S
    while not _answers(server):
        if time.monotonic() > ends_at or not _is_active():
            raise BackupError(
                "the scratch server does not start", f"see why: sudo journalctl -u {UNIT}"
            )
        time.sleep(0.2)
    return server


def keep(what: str) -> None:
    """Leave it running, with a note of what it is."""
    KEPT.write_text(f"{what}\n")


def finish() -> None:
    """Stop it properly and leave its data, without the identity of the server that they had.

    A note tells that they wait to become the live ones.
    """
    _stop()
    (DATA / "auto.cnf").unlink()
    WAITING.touch()


def remove() -> None:
    """Stop it and remove all that belongs to it."""
    _stop()
    shutil.rmtree(ROOT, ignore_errors=True)


def remove_left_over() -> None:
    """Remove one that is neither kept nor waiting; only for who holds the lock."""
    if ROOT.exists() and not KEPT.exists() and not _waits():
        remove()


def _waits() -> bool:
    return WAITING.exists() and time.time() - WAITING.stat().st_mtime < WAITING_S


def _run(unit: str, *words: str) -> None:
    options = [word for word in words if word == "--wait"]
    properties = [
        "User=mysql",
        "PrivateNetwork=yes",
        f"BindPaths={ROOT}/data:/var/lib/mysql",
        f"BindPaths={ROOT}/run:/run/mysqld",
        "Nice=10",
        "TimeoutStopSec=600",
    ]
    command = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", *options]
    command += [f"--property={each}" for each in properties]
    command += ["--", *[word for word in words if word not in options]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise BackupError(
            f"{unit} failed: {done.stderr.strip() or f'status {done.returncode}'}",
            f"see why: sudo journalctl -u {unit}",
        )


def _stop() -> None:
    for unit in (UNIT, f"{UNIT}-init"):
        subprocess.run(
            ["systemctl", "stop", f"{unit}.service"], capture_output=True, check=False, timeout=660
        )


def _is_taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_active() -> bool:
    command = ["systemctl", "is-active", "--quiet", f"{UNIT}.service"]
    return subprocess.run(command, check=False, timeout=30).returncode == 0


def _answers(server: Server) -> bool:
    try:
        return server.value("1") == "1"
    except BackupError:
        return False
