"""GTID sets, against a brute-force model of plain sets."""

import random

import pytest

from provision.mysql.gtid import GtidSet

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
B = "4f22fb58-82db-22f2-af44-d91bb0530673"
SOURCES = (A, B, f"{A}:blue", f"{B}:blue_2")

Model = frozenset[tuple[str, int]]


@pytest.mark.parametrize(
    ("text", "canonical", "count"),
    [
        ("", "", 0),
        (f"{A}:5", f"{A}:5", 1),
        (f"{A}:1-5", f"{A}:1-5", 5),
        (f"{A}:1-3:5:7-8", f"{A}:1-3:5:7-8", 6),
        (f"{A}:4-5:1-3", f"{A}:1-5", 5),
        (f"{A}:1-4:2-9:3", f"{A}:1-9", 9),
        (f"{A}:1,\n{A}:2-3", f"{A}:1-3", 3),
        (f"{B}:1, {A}:1", f"{A}:1,{B}:1", 2),
        (A.upper() + ":1-2", f"{A}:1-2", 2),
        (f"{A}:1-2:blue:1-3:5:red:7", f"{A}:1-2,{A}:blue:1-3:5,{A}:red:7", 7),
        (f"{A}:Blue:1", f"{A}:blue:1", 1),
        (f"{A}:_x1:1", f"{A}:_x1:1", 1),
    ],
)
def test_set_is_read_merged_and_written(text: str, canonical: str, count: int) -> None:
    gtids = GtidSet(text)
    assert str(gtids) == canonical
    assert len(gtids) == count
    assert bool(gtids) == bool(count)


@pytest.mark.parametrize(
    ("text", "other", "difference"),
    [
        (f"{A}:1-9", f"{A}:4-5", f"{A}:1-3:6-9"),
        (f"{A}:1-9", f"{A}:1-9", ""),
        (f"{A}:1-9", f"{A}:5-20", f"{A}:1-4"),
        (f"{A}:1-3:7-9", f"{A}:3-7", f"{A}:1-2:8-9"),
        (f"{A}:1-3,{B}:1-3", f"{A}:1-3", f"{B}:1-3"),
        (f"{A}:1-3:blue:1-3", f"{A}:1-3", f"{A}:blue:1-3"),
        ("", f"{A}:1", ""),
    ],
)
def test_what_the_other_lacks_is_left(text: str, other: str, difference: str) -> None:
    assert str(GtidSet(text) - GtidSet(other)) == difference
    assert (GtidSet(text) <= GtidSet(other)) == (not difference)


def test_transactions_of_a_server_are_known_with_and_without_a_tag() -> None:
    gtids = GtidSet(f"{A}:1:blue:2,{B}:3")
    assert gtids.has_server(A.upper())
    assert not GtidSet(f"{B}:1").has_server(A)
    assert str(gtids.without_server(A.upper())) == f"{B}:3"


def _text(model: Model, dice: random.Random) -> str:
    """One of the many ways to write a set: shuffled, overlapping, with repetitions."""
    parts = []
    for source, number in sorted(model):
        end = number
        while (source, end + 1) in model and dice.random() < 0.7:
            end += 1
        parts.append(f"{source}:{number}" if end == number else f"{source}:{number}-{end}")
    dice.shuffle(parts)
    return ",\n".join(parts)


def _model(gtids: GtidSet) -> Model:
    found = set()
    for part in filter(None, str(gtids).split(",")):
        uuid, *pieces = part.split(":")
        tag = [piece for piece in pieces if not piece[0].isdigit()]
        for span in pieces[len(tag) :]:
            start, _, end = span.partition("-")
            numbers = range(int(start), int(end or start) + 1)
            found |= {(":".join([uuid, *tag]), number) for number in numbers}
    return frozenset(found)


@pytest.mark.parametrize("seed", range(60))
def test_sets_behave_as_plain_sets_do(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 a test that repeats

    def some() -> Model:
        density = dice.random()
        return frozenset((s, n) for s in SOURCES for n in range(1, 14) if dice.random() < density)

    one = some()
    other = some() if seed % 3 else one | some()
    left, right = GtidSet(_text(one, dice)), GtidSet(_text(other, dice))
    assert _model(left) == one
    assert len(left) == len(one)
    assert _model(left - right) == one - other
    assert (left <= right) == (one <= other)
    assert _model(left.without_server(A)) == {each for each in one if not each[0].startswith(A)}
    assert left.has_server(B) == any(source.startswith(B) for source, _ in one)
