"""Waiting for what a machine is to become, and saying what did not."""

from collections.abc import Callable

from provision.errors import QuartetError
from provision.polling import is_reached

REMOTE_POLL_INTERVAL_S = 0.2


class DeadlinePassedError(QuartetError):
    """A condition did not come true in time."""


def wait_until(
    condition: Callable[[], bool], *, where: str, what: str, deadline_s: float, next_step: str = ""
) -> None:
    """Ask a machine until `condition` holds; DeadlinePassedError after `deadline_s` seconds.

    A condition that can't come true any more raises an error of its own, which ends the wait.
    """
    if not is_reached(condition, within_s=deadline_s, poll_s=REMOTE_POLL_INTERVAL_S):
        raise DeadlinePassedError(where, f"{what}: not so after {deadline_s:.0f} s", next_step)
