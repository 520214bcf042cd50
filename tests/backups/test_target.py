"""The moment that a person asks for."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from provision.backups.target import target_of, told
from provision.errors import QuartetError
from tests.backups.parts import A

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-21 18:00:00", 17),
        ("2026-07-21 18:00:00", 16),
        ("2026-11-21 18:00", 17),
        ("2026-11-21T18:00:00Z", 18),
        ("2026-11-21 18:00:00 UTC", 18),
        ("2026-11-21 18:00:00+03:00", 15),
        ("2026-11-21 18:00:00.000 -0500", 23),
    ],
)
def test_time_is_this_computers_unless_it_says_otherwise(text: str, hour: int) -> None:
    at = target_of(text, "", NOW).at
    assert at is not None
    assert (at.astimezone(UTC).hour, at.minute, at.microsecond) == (hour, 0, 0)


def test_microseconds_count() -> None:
    assert target_of("2026-11-21 18:00:00.000001 UTC", "", NOW).before_us == 1795284000000001


def test_moment_is_told_in_both_zones() -> None:
    moment = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)
    assert told(moment) == "2026-11-21 18:00:00 CET (2026-11-21 17:00:00 UTC)"


@pytest.mark.parametrize("text", ["yesterday", "18:00", "2026-13-01 00:00:00", "2026-11-21 25:00"])
def test_strange_time_is_refused(text: str) -> None:
    with pytest.raises(QuartetError, match="is no time"):
        target_of(text, "", NOW)


def test_future_is_refused() -> None:
    with pytest.raises(QuartetError, match="still to come"):
        target_of("2026-11-22 02:00:00", "", NOW)


def test_gtid_may_have_a_tag_and_is_read_in_any_case() -> None:
    assert target_of("", f"{A.upper()}:7", NOW).before_gtid == f"{A}:7"
    assert target_of("", f"{A}:batch:7", NOW).before_gtid == f"{A}:batch:7"


@pytest.mark.parametrize("text", [A, f"{A}:1-5", f"{A}:0", "7", f"{A}:7'"])
def test_strange_gtid_is_refused(text: str) -> None:
    with pytest.raises(QuartetError, match="is no transaction"):
        target_of("", text, NOW)


def test_two_ends_are_refused() -> None:
    with pytest.raises(QuartetError, match="give one of them"):
        target_of("2026-11-21 18:00:00", f"{A}:7", NOW)


def test_without_either_nothing_stops() -> None:
    target = target_of("", "", NOW)
    assert (target.before_us, target.before_gtid) == (None, None)
