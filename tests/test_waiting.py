"""Waiting for a condition, on a clock that tests turn; and errors that say what to do."""

import time
from collections.abc import Iterator

import pytest

from provision.errors import QuartetError
from provision.waiting import REMOTE_POLL_INTERVAL_S, DeadlinePassedError, wait_until


class Clock:
    """Time passes only by waiting."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", clock.sleep)
        patched.setattr(time, "monotonic", lambda: clock.now)
        yield clock


def test_condition_that_holds_is_not_waited_for(clock: Clock) -> None:
    wait_until(lambda: True, where="a", what="x", deadline_s=0)
    assert clock.pauses == []


def test_condition_is_polled_until_it_holds(clock: Clock) -> None:
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), where="a", what="x", deadline_s=60)
    assert clock.pauses == [REMOTE_POLL_INTERVAL_S] * 2


def test_deadline_ends_the_wait_and_says_for_what(clock: Clock) -> None:
    with pytest.raises(DeadlinePassedError) as caught:
        wait_until(lambda: False, where="web-01", what="is up", deadline_s=30, next_step="look")
    assert str(caught.value) == "web-01: is up: not so after 30 s\n  next: look"
    assert 29.9 <= sum(clock.pauses) <= 30 + 2 * REMOTE_POLL_INTERVAL_S


def test_condition_that_can_not_come_true_ends_the_wait_at_once(clock: Clock) -> None:
    def hopeless() -> bool:
        raise QuartetError("web-01", "it is gone")

    with pytest.raises(QuartetError, match="it is gone"):
        wait_until(hopeless, where="a", what="x", deadline_s=60)
    assert clock.pauses == []


@pytest.mark.parametrize(
    ("next_step", "text"),
    [("", "web-01: is broken"), ("mend it", "web-01: is broken\n  next: mend it")],
)
def test_error_says_where_what_and_what_next(next_step: str, text: str) -> None:
    error = QuartetError("web-01", "is broken", next_step)
    assert str(error) == text
    assert (error.where, error.what, error.next_step) == ("web-01", "is broken", next_step)
