"""One command at a time for each lab, and a word on who holds it."""

import fcntl
import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from provision.errors import QuartetError


@contextmanager
def lab_lock(path: Path, action: str) -> Iterator[None]:
    """Hold the lab's lock; the kernel gives it back however this process ends.

    Raises QuartetError that tells who holds it, since when and what for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        _take(file.fileno(), path)
        file.truncate(0)
        file.write(_who(action))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise QuartetError(
            "lab",
            f"busy: {path.read_text() or 'somebody else just took it'}",
            "wait until that is done",
        ) from None


def _who(action: str) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{action} by {getpass.getuser()}, process {os.getpid()}, since {now}"
