"""Visitors who keep asking while something breaks, and what became of every request."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from checks.expectations import NotAnsweringError, expect
from checks.front_door import served_by
from checks.lab import Lab
from provision.topology import Machine

PAUSE_S = 0.05
VISITORS = 4


@dataclass
class Traffic:
    """What visitors saw so far: who served them, and what failed how long after the start."""

    load_balancer: Machine
    began: float = field(default_factory=time.monotonic)
    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def mark(self) -> int:
        """Return a point in time, for `served_since`."""
        return len(self.answers)

    def served_since(self, mark: int) -> Counter[str]:
        """Count who served since then."""
        return Counter(self.answers[mark:])

    def expect_none_failed(self) -> None:
        """Fail if any request did, or if there were none."""
        expect(
            not self.failures and bool(self.answers),
            expected="not one failed request",
            found=f"{len(self.failures)} of {len(self.answers) + len(self.failures)} failed:"
            f" {'; '.join(self.failures[:3])}",
            at=self.load_balancer,
            look="journalctl -u haproxy -n 50",
        )


@contextmanager
def visitors(lab: Lab, path: str = "/healthz") -> Iterator[Traffic]:
    """Keep a few visitors asking for a path, half of them over a new connection every time."""
    traffic, stop = Traffic(lab.load_balancer), threading.Event()
    threads = [
        threading.Thread(target=_visit, args=(lab, path, traffic, stop, bool(number % 2)))
        for number in range(VISITORS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield traffic
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _visit(lab: Lab, path: str, traffic: Traffic, stop: threading.Event, hangs_up: bool) -> None:
    door = lab.front_door()
    headers = {"Connection": "close"} if hangs_up else {}
    while not stop.wait(PAUSE_S):
        try:
            answer = door.get(path, headers)
        except NotAnsweringError as error:
            _note(traffic, error.found)
            continue
        if answer.ok:
            traffic.answers.append(served_by(answer))
        else:
            _note(traffic, f"status {answer.status_code}")
    door.close()


def _note(traffic: Traffic, what: str) -> None:
    traffic.failures.append(f"{what} after {time.monotonic() - traffic.began:.1f} s")
