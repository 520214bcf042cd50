"""Python, locale, clock, memory and room, judged from given facts."""

from pathlib import Path

import pytest

from provision.doctor import Finding, Severity
from provision.doctor.facts.clock import Clock
from provision.doctor.facts.host import DiskRoom
from provision.doctor.rules.host import (
    judge_clock,
    judge_locale,
    judge_python,
    judge_reserved_memory,
    judge_rooms,
    judge_shared_memory,
)
from tests.doctor.hosts import LINUX, MAC

GOOD, BAD, WRONG = Severity.OK, Severity.WARNING, Severity.ERROR


def _severity(finding: Finding) -> Severity:
    assert (finding.severity is GOOD) == (finding.mend == "")
    return finding.severity


@pytest.mark.parametrize(
    ("version", "severity"), [((3, 10, 14), WRONG), ((3, 11, 0), GOOD), ((3, 14, 1), GOOD)]
)
def test_python_is_new_enough_or_not(version: tuple[int, ...], severity: Severity) -> None:
    assert _severity(judge_python(version)) is severity


@pytest.mark.parametrize(
    ("charmap", "severity"), [("UTF-8", GOOD), ("ANSI_X3.4-1968", BAD), (None, BAD)]
)
def test_locale_is_one_of_utf_8(charmap: str | None, severity: Severity) -> None:
    assert _severity(judge_locale(charmap, LINUX)) is severity


def test_mac_has_no_c_utf_8() -> None:
    assert judge_locale("US-ASCII", MAC).mend == "export LC_ALL=en_US.UTF-8"


@pytest.mark.parametrize(
    ("offset_s", "severity"), [(0.4, GOOD), (-60, GOOD), (61, BAD), (None, BAD)]
)
def test_clock_is_never_more_than_a_warning(offset_s: float | None, severity: Severity) -> None:
    assert _severity(judge_clock(Clock(offset_s, "chronyc"))) is severity


def test_clock_behind_is_said_to_be_behind() -> None:
    assert judge_clock(Clock(-3600, "chronyc")).found == "3600 s behind, says chronyc"


@pytest.mark.parametrize(
    ("free_mb", "severity"), [(4096, GOOD), (3000, BAD), (1700, WRONG), (None, BAD)]
)
def test_containers_share_memory(free_mb: int | None, severity: Severity) -> None:
    assert _severity(judge_shared_memory(free_mb, 3584, 4)) is severity


@pytest.mark.parametrize(("free_mb", "severity"), [(3584, GOOD), (3583, WRONG), (None, BAD)])
def test_virtual_machines_take_all_their_memory(free_mb: int | None, severity: Severity) -> None:
    assert _severity(judge_reserved_memory(free_mb, 3584, are_made=False)) is severity


def test_machines_that_may_be_running_are_not_counted_twice() -> None:
    assert judge_reserved_memory(100, 3584, are_made=True).severity is BAD


@pytest.mark.parametrize(("free_gb", "severity"), [(10, GOOD), (4.5, BAD), (3.9, WRONG)])
def test_room_on_a_disk(free_gb: float, severity: Severity) -> None:
    [finding] = judge_rooms([DiskRoom((Path("/a"), Path("/b")), free_gb, 4.0)])
    assert _severity(finding) is severity
    assert "/a, /b" in finding.found
