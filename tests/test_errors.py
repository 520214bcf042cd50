"""Errors: one as it is, several as one, and the same one told once."""

import pytest

from provision.errors import QuartetError, raise_joined

LOCK = QuartetError("web-01", "is busy", "wait")


def test_nothing_is_raised_where_there_is_nothing() -> None:
    raise_joined([])


@pytest.mark.parametrize("errors", [[LOCK], [LOCK, QuartetError("web-01", "is busy", "wait")]])
def test_one_is_raised_as_it_is_however_often_it_was_met(errors: list[QuartetError]) -> None:
    with pytest.raises(QuartetError) as caught:
        raise_joined(errors)
    assert str(caught.value) == "web-01: is busy\n  next: wait"


def test_several_are_told_together_in_their_order_each_with_its_next_step() -> None:
    with pytest.raises(QuartetError) as caught:
        raise_joined([LOCK, QuartetError("db-03", "is full", "free some space"), LOCK])
    assert str(caught.value).splitlines() == [
        "several things are in the way: ",
        "- web-01: is busy",
        "  next: wait",
        "- db-03: is full",
        "  next: free some space",
    ]
