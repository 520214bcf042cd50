"""Findings as lines for the person at the screen; a command stands alone, to be copied."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from rich.markup import escape

from provision.doctor.finding import Finding, Severity
from provision.report import make_console

_STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "red"}


def print_findings(findings: Sequence[Finding]) -> None:
    """A line a finding, the next step below it, and a summary at the end."""
    show = partial(make_console().print, highlight=False, emoji=False, soft_wrap=True)
    width = max((len(finding.name) for finding in findings), default=0)
    for finding in findings:
        show(_line(finding, width))
        if finding.mend:
            show(f"         [bold]→[/] {escape(finding.mend)}")
    show(f"\n{summary(findings)}")


def summary(findings: Sequence[Finding]) -> str:
    """One line: how many there are of each severity, the worst last."""
    counts = Counter(finding.severity for finding in findings)
    warnings, errors = (_few(counts, each) for each in (Severity.WARNING, Severity.ERROR))
    return f"{counts[Severity.OK]} ok, {warnings}, {errors}"


def _line(finding: Finding, width: int) -> str:
    style = _STYLES[finding.severity]
    sign = f"[{style}]{finding.severity:<7}[/]"
    return f"{sign}  {escape(finding.name.ljust(width))}  {escape(finding.found)}"


def _few(counts: Counter[Severity], severity: Severity) -> str:
    number = counts[severity]
    return f"{number} {severity}" + ("" if number == 1 else "s")
