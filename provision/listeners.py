"""Who listens on a machine's ports, as ss(8) tells it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from provision.resources import Fact, FactKind, Snapshot

_PROGRAM = re.compile(r'users:\(\("([^"]+)"')
_COLUMN = 3


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket; the program is empty where it isn't known."""

    address: str
    port: int
    program: str


def _script(_: Sequence[str]) -> str:
    return "ss -Hlntp 2>/dev/null"


def _parse(output: str) -> dict[str, tuple[Listener, ...]]:
    rows = (line.split(maxsplit=5) for line in output.splitlines())
    return {"tcp": tuple(_listener(row) for row in rows if len(row) > _COLUMN)}


def _listener(row: Sequence[str]) -> Listener:
    address, _, port = row[_COLUMN].rpartition(":")
    match = _PROGRAM.search(row[-1])
    return Listener(
        address.partition("%")[0], int(port) if port.isdigit() else 0, match[1] if match else ""
    )


LISTENERS = Fact(FactKind("listeners", _script, _parse), "tcp")


def listeners_of(snapshot: Snapshot) -> tuple[Listener, ...]:
    """The machine's listening TCP sockets."""
    return snapshot.get(LISTENERS) or ()
