"""How many servers took writes at the same instant, from samples that never coincide."""

import pytest

from provision.drill.overlap import (
    Answer,
    Sample,
    Stretch,
    longest_interval,
    most_at_once,
    open_stretches,
)

ANSWERS = {"o": Answer.OPEN, "c": Answer.CLOSED, "-": Answer.SILENT}


def samples(letters: str, began: float = 0.0) -> list[Sample]:
    """A sample each 50 ms, answered after 2 ms."""
    moments = [began + 0.05 * number for number in range(len(letters))]
    return [
        Sample(moment, moment + 0.002, ANSWERS[letter])
        for moment, letter in zip(moments, letters, strict=True)
    ]


def writable_at_once(*servers: list[Sample]) -> int:
    return most_at_once([stretch for own in servers for stretch in open_stretches(own)])


def test_stretch_lasts_from_the_first_answer_to_the_last_question() -> None:
    [stretch] = open_stretches(samples("cooooc"))
    assert (stretch.began, stretch.ended) == pytest.approx((0.052, 0.2))


def test_single_sample_is_an_instant() -> None:
    [stretch] = open_stretches([Sample(1.0, 1.2, Answer.OPEN)])
    assert stretch == Stretch(1.2, 1.2)


@pytest.mark.parametrize(
    ("one", "other", "most"),
    [
        ("oooccc", "cccooo", 1),
        ("oooocc", "ccoooo", 2),
        ("ooo---", "cccooo", 1),
        ("oooooo", "ccoccc", 2),
        ("cccccc", "------", 0),
        ("ooccoo", "cccccc", 1),
    ],
    ids=["handed over", "overlap", "died", "a blip", "nobody", "closed and opened again"],
)
def test_servers_that_are_open_at_once_are_counted(one: str, other: str, most: int) -> None:
    assert writable_at_once(samples(one), samples(other, 0.01)) == most


def test_samples_out_of_step_show_an_overlap_between_their_moments() -> None:
    """Neither has a sample at an instant where the other has one."""
    assert writable_at_once(samples("oo", 0.0), samples("oo", 0.025)) == 2


def test_server_that_was_open_before_and_after_a_gap_counts_throughout() -> None:
    gap = [*samples("oo"), *samples("oo", 60.0)]
    assert writable_at_once(gap, samples("coooc", 30.0)) == 2


def test_death_between_two_open_samples_ends_the_stretch() -> None:
    assert len(open_stretches(samples("oo--oo"))) == 2


def test_three_at_once() -> None:
    assert writable_at_once(*[samples("oooo")] * 3) == 3


def test_blind_time_leaves_out_servers_that_do_not_answer() -> None:
    away = [*samples("oo"), *samples("---", 5.0), *samples("cc", 9.0)]
    assert longest_interval({"a": away}) == pytest.approx(0.05)
    assert longest_interval({"a": [*samples("oo"), *samples("oo", 3.0)]}) == pytest.approx(2.95)
    assert longest_interval({"a": []}) == 0.0
