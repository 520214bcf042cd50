"""The checks' one way to wait: for a stated condition, with a deadline that is part of it."""

import time
from collections.abc import Callable
from typing import TypeVar

from checks.expectations import UnmetError, shown
from provision.topology import Machine

POLL_INTERVAL_S = 0.1
Reading = TypeVar("Reading")


def wait_until(
    read: Callable[[], Reading],
    is_met: Callable[[Reading], bool],
    *,
    expected: str,
    within_s: float,
    since: float | None = None,
    trying: tuple[type[Exception], ...] = (),
    at: Machine | None = None,
    look: str = "",
) -> Reading:
    """Poll `read` until what it returns is met; return that, or raise UnmetError with the last one.

    `since` is where the time starts (of time.monotonic, by default now); `trying` are the errors
    that mean "not yet". What is judged in the end is a reading that began when the time was up.
    """
    deadline = (time.monotonic() if since is None else since) + within_s
    while True:
        is_last = time.monotonic() >= deadline
        try:
            reading = read()
        except trying as error:
            found: str = f"{type(error).__name__}: {error}"
        else:
            if is_met(reading):
                return reading
            found = shown(reading)
        if is_last:
            raise UnmetError(
                f"{expected} within {within_s:g} s", found, at.name if at else "", look
            )
        time.sleep(POLL_INTERVAL_S)
