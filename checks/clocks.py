"""How far the machines' clocks are apart, as far as that can be told from afar."""

from collections.abc import Collection
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Offset:
    """How far a clock is ahead of ours, in seconds: by at least and by at most so much.

    Between the two lie the way there and the way back, of which nobody knows how long each took: a
    login on a slow machine takes seconds.
    """

    least_s: float
    most_s: float


def apart_s(one: Offset, everyone: Collection[Offset]) -> float:
    """By how many seconds a clock is certainly ahead of the middle one; negative: behind it."""
    least_s = median(each.least_s for each in everyone)
    most_s = median(each.most_s for each in everyone)
    return max(0.0, one.least_s - most_s) + min(0.0, one.most_s - least_s)
