"""A moment by which something must be over."""

import time

LEAST_SECONDS = 0.05


class Deadline:
    """So many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._moment = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left; negative when it is over."""
        return self._moment - time.monotonic()

    def at_most(self, seconds: float) -> float:
        """How long to wait for one answer: so many seconds, or what is left."""
        return max(min(seconds, self.left), LEAST_SECONDS)
