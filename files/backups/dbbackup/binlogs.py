"""A binary log file: when it was begun, what came before it, and the transactions in it.

mysqlbinlog reads them; what it prints is told in MySQL's reference manual, "mysqlbinlog".
"""

import re
import struct
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dbbackup.failures import BackupError
from dbbackup.moments import from_seconds

READER = ("mysqlbinlog", "--no-defaults")
_MAGIC = b"\xfebin"
# The first event (what format) and the second (what came before) begin before this position, and
# the first transaction behind it, however short the second event is.
_AFTER_HEADER = 150
_AT = re.compile(r"# at (\d+)$")
_COMMITTED = re.compile(r"#\d{6} .*\tGTID\t.*\toriginal_committed_timestamp=(\d+)\t")
_NEXT = re.compile(r"SET @@SESSION\.GTID_NEXT= '([^']+:\d+)'")


@dataclass(frozen=True)
class Transaction:
    """Where it begins in its file, and when its first server committed it (µs since 1970)."""

    position: int
    gtid: str
    committed_us: int


def begun_at(path: Path) -> datetime:
    """When a log was begun; BackupError where it is none."""
    with path.open("rb") as file:
        beginning = file.read(8)
    if beginning[:4] != _MAGIC:
        raise BackupError(f"{path} is no plain binary log (is binlog_encryption on?)")
    seconds: int = struct.unpack("<I", beginning[4:8])[0]
    return from_seconds(seconds)


def previous_gtids(path: Path) -> str:
    """The transactions of all logs before it that were there then."""
    lines = _read(path, "--base64-output=NEVER", f"--stop-position={_AFTER_HEADER}")
    titles = [number for number, line in enumerate(lines) if line.endswith("Previous-GTIDs")]
    if not titles:
        raise BackupError("a binary log without GTIDs can't be archived")
    found = []
    for line in lines[titles[0] + 1 :]:
        if not re.match(r"# [0-9a-f]{8}-", line):
            break
        found.append(line[2:].strip())
    return "".join(found)


def transactions(lines: Iterable[str]) -> Iterator[Transaction]:
    """The transactions in what mysqlbinlog printed of a log, without its rows."""
    position = begins_at = committed_us = 0
    for line in lines:
        if at := _AT.match(line):
            position = int(at[1])
        elif committed := _COMMITTED.match(line):
            begins_at, committed_us = position, int(committed[1])
        elif named := _NEXT.match(line):
            yield Transaction(begins_at, named[1].lower(), committed_us)


def chosen(exclude: str, include: str | None) -> list[str]:
    """The options that leave out these transactions, and all but those."""
    options = [f"--exclude-gtids={exclude}"] if exclude else []
    return [*options, *([f"--include-gtids={include}"] if include is not None else [])]


def listing(path: Path, options: Sequence[str]) -> list[str]:
    """The command that prints a log's events, but not the rows."""
    return [*READER, "--base64-output=DECODE-ROWS", *options, str(path)]


def _read(path: Path, *options: str) -> list[str]:
    done = subprocess.run(
        [*READER, *options, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise BackupError(f"mysqlbinlog can't read {path}: {done.stderr.strip()}")
    return done.stdout.splitlines()
