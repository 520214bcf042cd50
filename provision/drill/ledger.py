"""The ledger: one line for every write that was tried, on disk as soon as its end is known."""

import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self


class Outcome(StrEnum):
    """What a writer knows of its write.

    `refused` is certainly not stored, `undecided` may be, and `failed` is what should not happen:
    any other answer.
    """

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNDECIDED = "undecided"
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """One write; `began` and `ended` are of the monotonic clock, the other two are Unix times."""

    writer: int
    number: int
    text: str
    began_at: float
    ended_at: float
    began: float
    ended: float
    outcome: Outcome
    status: int | None = None
    message_id: int | None = None
    detail: str = ""


class Ledger:
    """A file of entries, which also remembers them for the drill itself."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._entries: list[Entry] = []
        self._last_begun = float("-inf")
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, entry: Entry) -> None:
        """Write a line and hand it to the kernel, so that a killed drill loses none."""
        with self._lock:
            self._file.write(json.dumps(asdict(entry)) + "\n")
            self._file.flush()
            self._entries.append(entry)
            if entry.outcome is Outcome.ACKNOWLEDGED:
                self._last_begun = max(self._last_begun, entry.began)

    def entries(self) -> list[Entry]:
        """All that is known so far."""
        with self._lock:
            return list(self._entries)

    def has_acknowledged_since(self, moment: float) -> bool:
        """Whether a write was acknowledged that had begun after this moment (monotonic)."""
        return self._last_begun >= moment


@dataclass(frozen=True)
class Pause:
    """A stretch without an acknowledgement, in seconds of the monotonic clock."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began


def longest_pause(entries: Iterable[Entry], began: float, ended: float) -> Pause:
    """Find the longest stretch of the load, from its begin to its end, without an acknowledgement.

    All writers count together: what is measured is the service, not one client of it.
    """
    moments = sorted(each.ended for each in entries if each.outcome is Outcome.ACKNOWLEDGED)
    within = [moment for moment in moments if began < moment < ended]
    pauses = [Pause(*pair) for pair in pairwise([began, *within, ended])]
    return max(pauses, key=lambda pause: pause.seconds)


@dataclass(frozen=True)
class Account:
    """The ledger held against the rows that are there in the end.

    `lost` are acknowledged writes without a row; `broken` were refused and have one all the same;
    `twice` are rows that nobody asked for, since one of the same text is there already.
    """

    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    broken: list[str] = field(default_factory=list)
    undecided: int = 0
    undecided_stored: int = 0
    failed: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


def account(entries: Iterable[Entry], rows: Iterable[str]) -> Account:
    """Hold the entries against the texts that a database has."""
    stored = Counter(rows)
    by_outcome: dict[Outcome, list[Entry]] = {outcome: [] for outcome in Outcome}
    for entry in entries:
        by_outcome[entry.outcome].append(entry)
    undecided = by_outcome[Outcome.UNDECIDED]
    return Account(
        acknowledged=len(by_outcome[Outcome.ACKNOWLEDGED]),
        lost=[e.text for e in by_outcome[Outcome.ACKNOWLEDGED] if e.text not in stored],
        refused=len(by_outcome[Outcome.REFUSED]),
        broken=[e.text for e in by_outcome[Outcome.REFUSED] if e.text in stored],
        undecided=len(undecided),
        undecided_stored=sum(each.text in stored for each in undecided),
        failed=[f"{each.text}: {each.detail}" for each in by_outcome[Outcome.FAILED]],
        twice=sorted(text for text, count in stored.items() if count > 1),
    )
