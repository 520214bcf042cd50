"""The one way to wait: for a stated condition, up to a deadline, by asking again."""

import time
from collections.abc import Callable

from provision.errors import QuartetError

POLL_INTERVAL_S = 0.02
REMOTE_POLL_INTERVAL_S = 0.2


class DeadlinePassedError(QuartetError):
    """A condition did not come true in time."""


def is_reached(
    condition: Callable[[], bool], *, within_s: float, poll_s: float = POLL_INTERVAL_S
) -> bool:
    """Ask until `condition` holds or `within_s` seconds are over; tell which."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True


def wait_until(
    condition: Callable[[], bool], *, where: str, what: str, deadline_s: float, next_step: str = ""
) -> None:
    """Ask a machine until `condition` holds; DeadlinePassedError after `deadline_s` seconds.

    A condition that can't come true any more raises an error of its own, which ends the wait.
    """
    if not is_reached(condition, within_s=deadline_s, poll_s=REMOTE_POLL_INTERVAL_S):
        raise DeadlinePassedError(where, f"{what}: not so after {deadline_s:.0f} s", next_step)
