"""GTID sets, as far as comparing servers needs them.

Source: MySQL reference manual, "GTID Format and Storage": UUID[:TAG]:N[-M][:N[-M]]..., separated by
commas.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

Interval = tuple[int, int]
Intervals = Mapping[str, list[Interval]]


class GtidSet:
    """A set of transactions, by the server (and tag) where each was first executed."""

    def __init__(self, text: str = "") -> None:
        self._intervals = _parse(text)

    def __bool__(self) -> bool:
        return bool(self._intervals)

    def __str__(self) -> str:
        return ",".join(_format(source, spans) for source, spans in sorted(self._intervals.items()))

    def __le__(self, other: "GtidSet") -> bool:
        return not self - other

    def __sub__(self, other: "GtidSet") -> "GtidSet":
        """The transactions of this set that the other lacks, as GTID_SUBTRACT has them."""
        left = {
            source: _subtract(spans, other._intervals.get(source, []))
            for source, spans in self._intervals.items()
        }
        return _from_intervals({source: spans for source, spans in left.items() if spans})

    def without_server(self, server_uuid: str) -> "GtidSet":
        """The transactions that were first executed on other servers than this one."""
        return _from_intervals(
            {
                source: spans
                for source, spans in self._intervals.items()
                if not _is_from(source, server_uuid)
            }
        )

    def has_server(self, server_uuid: str) -> bool:
        """Whether any transaction was first executed on this server."""
        return any(_is_from(source, server_uuid) for source in self._intervals)

    def __len__(self) -> int:
        return sum(end - start + 1 for spans in self._intervals.values() for start, end in spans)


def _from_intervals(intervals: Intervals) -> GtidSet:
    made = GtidSet()
    made._intervals = dict(intervals)  # the constructor reads text alone
    return made


def _is_from(source: str, server_uuid: str) -> bool:
    return source.partition(":")[0] == server_uuid.lower()


def _parse(text: str) -> dict[str, list[Interval]]:
    found: defaultdict[str, list[Interval]] = defaultdict(list)
    for part in filter(None, text.replace("\n", "").replace(" ", "").split(",")):
        uuid, *pieces = part.lower().split(":")
        source = uuid
        for piece in pieces:
            if piece[0].isdigit():
                start, _, end = piece.partition("-")
                found[source].append((int(start), int(end or start)))
            else:
                source = f"{uuid}:{piece}"
    return {source: _merge(spans) for source, spans in found.items()}


def _merge(spans: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _subtract(spans: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    left = list(spans)
    for low, high in others:
        left = [
            piece
            for start, end in left
            for piece in ((start, min(end, low - 1)), (max(start, high + 1), end))
            if piece[0] <= piece[1]
        ]
    return left


def _format(source: str, spans: Iterable[Interval]) -> str:
    texts = [str(start) if start == end else f"{start}-{end}" for start, end in spans]
    return ":".join([source, *texts])
