"""Who took writes when: from samples of each server to the largest number at the same instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, groupby, pairwise


class Answer(StrEnum):
    """What a server said: it takes writes, it doesn't, or nothing at all."""

    OPEN = "open"
    CLOSED = "closed"
    SILENT = "silent"


@dataclass(frozen=True)
class Sample:
    """One question to one server, with Unix times; the answer was true at a moment in between."""

    began: float
    ended: float
    answer: Answer


@dataclass(frozen=True)
class Stretch:
    """From when to when a server took writes."""

    began: float
    ended: float


def open_stretches(samples: Sequence[Sample]) -> list[Stretch]:
    """Join neighbouring samples that found a server open, however far apart they are.

    A stretch begins when the first of them was answered and ends when the last was asked, so it is
    surely open throughout. What opens and closes between two samples is not seen: such a stretch is
    shorter than the sampling interval and the answers' time together.
    """
    runs = [
        list(run)
        for answer, run in groupby(samples, key=lambda each: each.answer)
        if answer is Answer.OPEN
    ]
    return [Stretch(run[0].ended, max(run[0].ended, run[-1].began)) for run in runs]


def most_at_once(stretches: Sequence[Stretch]) -> int:
    """Count the largest number of stretches that share an instant."""
    edges = [(each.began, 1) for each in stretches] + [(each.ended, -1) for each in stretches]
    # At the same instant begins are counted before ends: touching is sharing an instant.
    changes = [change for _, change in sorted(edges, key=lambda edge: (edge[0], -edge[1]))]
    return max(accumulate(changes), default=0)


def longest_interval(samples: Mapping[str, Sequence[Sample]]) -> float:
    """The longest time, in seconds, between two neighbouring samples of a server that answered."""
    return max(
        (
            after.began - before.began
            for own in samples.values()
            for before, after in pairwise(own)
            if Answer.SILENT not in (before.answer, after.answer)
        ),
        default=0.0,
    )
