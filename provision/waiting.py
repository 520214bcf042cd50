"""The one way to wait: for a stated condition, with a deadline."""

import time
from collections.abc import Callable

from provision.errors import QuartetError

POLL_INTERVAL_S = 0.2


class DeadlinePassedError(QuartetError):
    """A condition did not come true in time."""


def wait_until(
    condition: Callable[[], bool], *, where: str, what: str, deadline_s: float, next_step: str = ""
) -> None:
    """Poll `condition` until it is true; raise DeadlinePassedError after `deadline_s` seconds.

    A condition that can't come true any more raises an error of its own, which ends the wait.
    """
    ends_at = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > ends_at:
            raise DeadlinePassedError(where, f"{what}: not so after {deadline_s:.0f} s", next_step)
        time.sleep(POLL_INTERVAL_S)
