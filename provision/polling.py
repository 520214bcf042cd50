"""The one way to wait: for a condition, up to a deadline, by asking again.

The database agent has this module too, by a link: it needs the standard library alone.
"""

import time
from collections.abc import Callable

POLL_INTERVAL_S = 0.02


def is_reached(
    condition: Callable[[], bool], within_s: float, poll_s: float = POLL_INTERVAL_S
) -> bool:
    """Ask until `condition` holds or `within_s` seconds are over; tell which."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True
