"""What tests of backups are made of: dumps and logs as machines tell of them, and machines."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from provision.backups.records import Dump, Log
from provision.connection import CommandFailedError

A = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
B = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"
CONTENT = b"age-encryption.org/v1 and so on"


def clock(minute: int) -> str:
    """A moment of one hour, as machines write it."""
    return f"2026-11-21T18:{minute:02}:00Z"


def dump_facts(minute: int, gtid: str, machine: str = "web-02", **more: Any) -> dict[str, Any]:
    return {
        "kind": "dump",
        "name": f"20261121T18{minute:02}00Z-{machine}.sql.zst.age",
        "machine": machine,
        "taken_at": clock(minute),
        "gtid": gtid,
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        **more,
    }


def log_facts(
    machine: str, minutes: tuple[int, int], before: str, after: str, **more: Any
) -> dict[str, Any]:
    begun, ended = minutes
    return {
        "kind": "log",
        "name": f"20261121T18{begun:02}00Z-binlog.{begun:06}.zst.age",
        "machine": machine,
        "begun_at": clock(begun),
        "ended_at": clock(ended),
        "before": before,
        "after": after,
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        **more,
    }


def dump(minute: int, gtid: str, machine: str = "web-02") -> Dump:
    return Dump.from_facts(dump_facts(minute, gtid, machine))


def log(machine: str, minutes: tuple[int, int], before: str, after: str) -> Log:
    return Log.from_facts(log_facts(machine, minutes, before, after))


@contextmanager
def cut_off_before_json(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Interrupt what moves files just before the first JSON file; it has to come to that."""
    rename = Path.rename

    def rename_or_end(path: Path, target: Path) -> Path:
        if path.suffix == ".json":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as moment:
        moment.setattr(Path, "rename", rename_or_end)
        with pytest.raises(KeyboardInterrupt):
            yield


class Machine:
    """Answers scripts that have one of the given words in them; writes down what it was sent."""

    def __init__(self, name: str, answers: Mapping[str, str | tuple[int, str]]) -> None:
        self.name = name
        self.scripts: list[str] = []
        self.sent: list[bytes] = []
        self._answers = answers

    def stream(
        self,
        script: str,
        take: Callable[[bytes], object],
        *,
        stdin: Iterable[bytes] = (),
        timeout_s: float = 60,
    ) -> None:
        self.scripts.append(script)
        self.sent.append(b"".join(stdin))
        answer = next((said for word, said in self._answers.items() if word in script), "{}\n")
        if isinstance(answer, tuple):
            raise CommandFailedError(self.name, script, *answer)
        for start in range(0, len(answer), 7):
            take(answer[start : start + 7].encode())
