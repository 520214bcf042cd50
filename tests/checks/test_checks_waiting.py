import time

import pytest

from checks.expectations import UnmetError
from checks.waiting import wait_until


def test_returns_the_reading_that_is_met() -> None:
    readings = iter([1, 2, 3])

    found = wait_until(lambda: next(readings), lambda n: n == 3, expected="three", within_s=5)

    assert found == 3


def test_deadline_tells_what_was_awaited_and_what_was_last_found() -> None:
    with pytest.raises(UnmetError) as caught:
        wait_until(lambda: 2, lambda n: n == 3, expected="three", within_s=0.2)

    assert caught.value.expected == "three within 0.2 s"
    assert caught.value.found == "2"


def test_time_runs_from_the_given_moment_but_one_reading_is_always_taken() -> None:
    long_ago = time.monotonic() - 60

    assert wait_until(lambda: 3, lambda n: n == 3, expected="", within_s=5, since=long_ago) == 3
    with pytest.raises(UnmetError):
        wait_until(lambda: 2, lambda n: n == 3, expected="", within_s=5, since=long_ago)


def test_slow_reading_that_began_early_is_not_the_last_one() -> None:
    readings = iter([2, 3])

    def read_slowly() -> int:
        time.sleep(0.2)
        return next(readings)

    assert wait_until(read_slowly, lambda n: n == 3, expected="three", within_s=0.1) == 3


def test_error_that_means_not_yet_is_told_when_it_stays() -> None:
    def refuse() -> int:
        raise ConnectionRefusedError("refused")

    with pytest.raises(UnmetError) as caught:
        wait_until(refuse, bool, expected="it", within_s=0.2, trying=(OSError,))

    assert caught.value.found == "ConnectionRefusedError: refused"


def test_any_other_error_ends_the_wait_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 // 0, bool, expected="it", within_s=60, trying=(OSError,))
