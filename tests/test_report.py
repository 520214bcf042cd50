"""What a run shows: steps in a line, plans with diffs, and the closing table."""

from io import StringIO

import pytest
from rich.console import Console

from provision.apply import BlockedError, Outcome
from provision.errors import QuartetError
from provision.plan import MachinePlan, Step
from provision.report import (
    LiveProgress,
    describe,
    print_outcomes,
    print_plan,
    summary,
)
from provision.resources import Directory, File, Packages, Service

FILE = File("/etc/a.conf", "x")
OUTCOMES = [
    Outcome("web-01", changed=3, unchanged=20, seconds=1.26),
    Outcome("db-03", failed=1, skipped=2, errors=[QuartetError("db-03", "broke [at] x", "mend")]),
    Outcome("web-02", skipped=1, errors=[BlockedError("web-02", "needs it")]),
]


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=120)


def _text(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"type": "absent", "mode": "absent"}, "file /etc/a.conf (new)"),
        ({"sha256": "x", "mode": "0600"}, "file /etc/a.conf (sha256, mode)"),
        ({"triggered": "file /b\nfile /c"}, "file /etc/a.conf (after file /b)"),
        ({"triggered": "file /b", "mode": "absent"}, "file /etc/a.conf (after file /b)"),
    ],
)
def test_step_is_told_in_a_line(changes: dict[str, str], line: str) -> None:
    assert describe(Step("r", FILE, changes)) == line


def test_summary_adds_up() -> None:
    assert summary(OUTCOMES) == "3 changed, 20 unchanged, 1 failed"
    assert summary([]) == "0 changed, 0 unchanged, 0 failed"


def test_table_has_a_row_for_each_machine(console: Console) -> None:
    print_outcomes(console, OUTCOMES)
    rows = [line.split() for line in _text(console).splitlines()[:4]]
    assert rows == [
        ["machine", "changed", "unchanged", "failed", "skipped", "seconds"],
        ["web-01", "3", "20", "0", "0", "1.3"],
        ["db-03", "0", "0", "1", "2", "0.0"],
        ["web-02", "0", "0", "0", "1", "0.0"],
    ]


def test_each_error_is_shown_in_full_below_the_table(console: Console) -> None:
    print_outcomes(console, OUTCOMES)
    text = _text(console)
    assert "error db-03: broke [at] x\n  next: mend" in text
    assert "skipped web-02: needs it" in text


def test_long_error_keeps_its_lines(console: Console) -> None:
    command = "word " * 60
    print_outcomes(console, [Outcome("a", failed=1, errors=[QuartetError("a", command)])])
    assert command.strip() in _text(console)


def test_plan_shows_is_and_should_be_and_the_diff(console: Console) -> None:
    steps = (
        Step("r", FILE, {"sha256": "f00d", "mode": "0600"}),
        Step("r", Directory("/srv/[x]"), {"type": "absent"}),
    )
    print_plan(console, MachinePlan("web-01", steps, 9), {"/etc/a.conf": "-old [b]\n+new\n"})
    lines = [line.rstrip() for line in _text(console).splitlines()]
    assert lines[0] == "web-01: 2 to change, 7 unchanged"
    assert lines[1:3] == ["  ~ file /etc/a.conf (sha256, mode)", "      mode: 0600 → 0644"]
    assert lines[3:5] == ["-old [b]", "+new"]
    assert "  ~ directory /srv/[x] (new)" in lines
    assert "f00d" not in _text(console)


def _lines(console: Console, *steps: Step) -> list[str]:
    print_plan(console, MachinePlan("web-01", steps, len(steps)), {})
    return [line.rstrip() for line in _text(console).splitlines()][1:]


def test_plan_names_the_packages_that_would_be_installed(console: Console) -> None:
    changes = {"haproxy": "absent", "mysql-server": "absent"}
    step = Step("packages", Packages(("nginx", "haproxy", "mysql-server")), changes)
    assert _lines(console, step) == [
        "  ~ packages (new)",
        "      haproxy, mysql-server: absent → installed",
    ]


def test_plan_says_restarts_in_place_of_digests(console: Console) -> None:
    step = Step("mysql", Service("mysql"), {"restarted with": "f00d", "reloaded with": "unknown"})
    assert _lines(console, step) == [
        "  ~ service mysql (restarted with, reloaded with)",
        "      restarts",
    ]


def test_plan_of_a_bare_machine_has_no_line_below_what_is_simply_new(console: Console) -> None:
    new = {"type": "absent", "owner": "absent", "mode": "absent"}
    steps = (
        Step("r", FILE, new | {"sha256": "absent"}),
        Step("r", Directory("/srv/app"), new),
        Step("r", Service("app"), {"enabled": "absent", "active": "inactive"}),
    )
    assert _lines(console, *steps) == [
        "  ~ file /etc/a.conf (new)",
        "  ~ directory /srv/app (new)",
        "  ~ service app (new)",
    ]


def test_long_detail_stays_below_its_step() -> None:
    console = Console(file=StringIO(), width=40)
    names = ("haproxy", "mysql-server", "nginx")
    step = Step("packages", Packages(names), dict.fromkeys(names, "absent"))
    assert _lines(console, step)[1:] == [
        "      haproxy, mysql-server, nginx:",
        "      absent → installed",
    ]


def test_progress_in_a_log_is_a_line_an_event(console: Console) -> None:
    step = Step("r", FILE, {"mode": "0600"})
    plans = {"web-01": MachinePlan("web-01", (step, step), 2), "lb-01": MachinePlan("lb-01", (), 1)}
    with LiveProgress(console, plans) as progress:
        progress.started("web-01", step)
        progress.finished("web-01", step, None)
        progress.waiting("web-01", step, ("lb-01", "x"))
        progress.repeated("web-01", step, {"mode": "0600"})
        progress.finished("web-01", step, QuartetError("web-01", "broke"))
    assert _text(console).splitlines() == [
        "changed web-01 file /etc/a.conf (mode)",
        "again   web-01 file /etc/a.conf (mode is 0600)",
        "failed  web-01 file /etc/a.conf (mode)",
    ]


def test_progress_on_a_terminal_ends_with_the_same_lines() -> None:
    console = Console(file=StringIO(), width=120, force_terminal=True, color_system=None)
    step = Step("r", FILE, {"mode": "0600"})
    with LiveProgress(console, {"web-01": MachinePlan("web-01", (step,), 2)}) as progress:
        progress.started("web-01", step)
        progress.finished("web-01", step, None)
    assert "changed web-01 file /etc/a.conf (mode)" in _text(console)
