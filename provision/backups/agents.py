"""The backup programs on the database machines, as this computer calls them."""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from provision.backups.records import Facts
from provision.connection import CommandFailedError
from provision.errors import QuartetError

CURRENT = "/srv/dbbackup/current"
ARCHIVE = "/var/backups/quartet"
SENT = "/var/lib/dbbackup-sent"
SILENCE_S = 120
"""The programs print something every few seconds: so long a silence means that they are gone."""
_CHUNK = 1 << 20
_SAID = "dbbackup: "


class Machine(Protocol):
    """A machine on which root scripts run, with more input and output than fits into memory."""

    @property
    def name(self) -> str:
        """Its name in topology.yml."""

    def stream(
        self,
        script: str,
        take: Callable[[bytes], object],
        *,
        stdin: Iterable[bytes] = (),
        timeout_s: float = 60,
    ) -> None:
        """Run a script; CommandFailedError if it failed."""


@dataclass(frozen=True)
class Report:
    """How a machine's server is, and what its archive has."""

    machine: str
    server: Facts
    dumps: list[dict[str, Any]] = field(repr=False)
    logs: list[dict[str, Any]] = field(repr=False)
    kept: bool = False
    history: str = ""

    @property
    def role(self) -> str:
        """The part that its server has now."""
        return str(self.server["role"])

    @property
    def is_usable(self) -> bool:
        """Whether it can be dumped, or restored beside."""
        return bool(self.server.get("usable"))

    def has(self, facts: Facts) -> bool:
        """Whether its own archive has that file."""
        return facts["sha256"] in (each["sha256"] for each in (*self.dumps, *self.logs))


def ask(
    machine: Machine,
    *words: str,
    stdin: bytes = b"",
    hear: Callable[[str], None] = lambda line: None,
) -> Any:
    """Run one command of theirs to its end; `hear` gets what it says on the way."""
    program = shlex.join(["/usr/bin/python3", "-B", "-m", "dbbackup", "--beat", *words])
    lines = _Lines(hear)
    script = f"cd {CURRENT} && exec {program}"
    try:
        machine.stream(script, lines.take, stdin=[stdin], timeout_s=SILENCE_S)
    except CommandFailedError as error:
        raise _refusal(machine.name, error) from error
    return lines.answer


def report(machine: Machine) -> Report:
    """Ask a machine how it is."""
    said = ask(machine, "report")
    if "history" not in said:
        raise QuartetError(machine.name, "has older backup programs", "./lab provision")
    return Report(machine=machine.name, **said)


def fetch(machine: Machine, facts: Facts, take: Callable[[bytes], object]) -> None:
    """Copy a file out of its archive."""
    path = f"{ARCHIVE}/{facts['kind']}s/{facts['name']}"
    machine.stream(shlex.join(["cat", "--", path]), take, timeout_s=SILENCE_S)


def send(machine: Machine, path: Path, folder: str) -> None:
    """Copy a file there, to restore from, into a folder of that restore's own."""
    target = shlex.quote(f"{SENT}/{folder}/{path.name}")
    lines = [
        "set -eu",
        "umask 077",
        f"mkdir -p {SENT}/{folder}",
        f"cat > {target}.partial",
        f"mv {target}.partial {target}",
    ]
    script = "\n".join(lines)
    machine.stream(script, lambda _: None, stdin=_pieces(path), timeout_s=SILENCE_S)


class _Lines:
    """What a program printed: empty lines while at work, words for a person, JSON in the end."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self.answer: Any = None
        self._hear = hear
        self._rest = b""

    def take(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace"))

    def _line(self, line: str) -> None:
        if line.startswith(("{", "[")):
            self.answer = json.loads(line)
        elif line:
            self._hear(line)


def _refusal(name: str, error: CommandFailedError) -> QuartetError:
    what, found, next_step = error.output.rpartition(_SAID)[2].partition("\n  next: ")
    if _SAID not in error.output:
        if CURRENT in error.output or "No module named" in error.output:
            return QuartetError(name, "has no backup programs yet", "./lab provision")
        return error
    return QuartetError(name, what.strip(), next_step.strip() if found else "")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece
