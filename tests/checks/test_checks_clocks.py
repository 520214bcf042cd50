"""What is said of clocks that were read over connections of any slowness."""

import pytest

from checks.clocks import Offset, apart_s

RIGHT = Offset(-0.1, 0.1)


@pytest.mark.parametrize(
    ("one", "apart"),
    [
        (RIGHT, 0),
        (Offset(1.9, 2.1), 1.8),
        (Offset(-2.1, -1.9), -1.8),
        (Offset(-0.1, 6), 0),  # a login took six seconds: that clock may be right
        (Offset(-6, 0.1), 0),
        (Offset(3, 9), 2.9),
    ],
)
def test_clock_is_apart_by_what_is_certain(one: Offset, apart: float) -> None:
    assert apart_s(one, [RIGHT, RIGHT, RIGHT, one]) == pytest.approx(apart)


def test_one_clock_alone_agrees() -> None:
    assert apart_s(RIGHT, [RIGHT]) == 0


def test_slow_connections_hide_no_clock_that_is_far_off() -> None:
    slow = [Offset(-1, 3), Offset(-2, 2), Offset(-1, 2)]
    wrong = Offset(9, 13)
    assert apart_s(wrong, [*slow, wrong]) > 1
    assert all(apart_s(each, [*slow, wrong]) == 0 for each in slow)
