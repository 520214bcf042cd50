"""The table at the end, and what is to be known about each check that failed."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from checks.results import WHOLE_LAB, Result, failures

AREAS = (
    "machines",
    "DNS",
    "load balancer",
    "web",
    "application",
    "database",
    "replication",
    "database agents",
    "routing",
    "backups",
    "end to end",
    "disruption",
)


def show(
    console: Console,
    results: Sequence[Result],
    machines: Sequence[str],
    *,
    seconds: float,
    left_out: int,
) -> None:
    """Print the failures, the table, and one line that says it all."""
    for result, count in _by_reason(results):
        _show_failure(console, result, count)
    _show_skipped(console, results)
    if results:
        console.print(table(results, machines))
    console.print(verdict(results, seconds), highlight=False)
    if left_out:
        console.print(
            f"{left_out} disruptive checks were left out: `./lab verify --disruptive` runs them.",
            highlight=False,
        )


def table(results: Sequence[Result], machines: Sequence[str]) -> Table:
    """Rows are areas, in the order in which a request meets them; machines in the given order."""
    rows = Table("area", "machines", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("passed", "failed", "not run", "seconds"):
        rows.add_column(column, justify="right")
    for area in _areas(results):
        mine = [result for result in results if result.area == area]
        counts = Counter(result.outcome for result in mine)
        style = "red" if counts["failed"] else None
        rows.add_row(
            area,
            _machines(mine, machines),
            *(str(counts[each] or "") for each in ("passed", "failed", "skipped")),
            f"{sum(result.seconds for result in mine):.1f}",
            style=style,
        )
    return rows


def verdict(results: Sequence[Result], seconds: float) -> str:
    """Say in one line how it went."""
    counts = Counter(result.outcome for result in results)
    if not results:
        return "[red]Nothing was checked.[/]"
    if counts["failed"]:
        failed = f"[red]{counts['failed']} of {len(results)} checks failed[/]"
        return f"{failed} in {seconds:.1f} s; each is told above the table."
    skipped = f", {counts['skipped']} were not run" if counts["skipped"] else ""
    return f"[green]{counts['passed']} checks passed[/]{skipped} in {seconds:.1f} s."


def _areas(results: Iterable[Result]) -> list[str]:
    present = {result.area for result in results}
    return [area for area in AREAS if area in present] + sorted(present - set(AREAS))


def _machines(results: Sequence[Result], order: Sequence[str]) -> str:
    bad = {result.machine for result in results if result.outcome == "failed"}
    present = {result.machine for result in results}
    # Checks of the whole lab are named where one of them failed, or where there are no others.
    whole = {WHOLE_LAB} & (bad if len(present) > 1 else present)
    named = [name for name in (*order, *whole) if name in present]
    return " ".join(f"[bold red]{name}[/]" if name in bad else name for name in named)


def _by_reason(results: Sequence[Result]) -> list[tuple[Result, int]]:
    """Return the first failure of each reason, and how many checks failed for it."""
    first: dict[tuple[str, ...], Result] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for result in failures(list(results)):
        reason = (result.machine, result.expected, result.found)
        first.setdefault(reason, result)
        counts[reason] += 1
    return [(result, counts[reason]) for reason, result in first.items()]


def _show_failure(console: Console, result: Result, count: int) -> None:
    where = escape(f"{result.machine}: {result.sentence}")
    console.print(f"[bold red]FAILED[/] [bold]{where}[/]", highlight=False, soft_wrap=True)
    details = {
        "expected": result.expected,
        "found": result.found,
        "look at": result.look,
        "check": result.check,
    }
    for name, text in details.items():
        if text:
            said = escape(text.strip().replace("\n", "\n            "))
            console.print(f"  {name:<9} {said}", highlight=False, soft_wrap=True)
    if count > 1:
        console.print(f"  {count} checks failed for this reason.", highlight=False)
    console.print()


def _show_skipped(console: Console, results: Iterable[Result]) -> None:
    reasons = Counter(result.found for result in results if result.outcome == "skipped")
    for reason, count in reasons.items():
        checks = "1 check was" if count == 1 else f"{count} checks were"
        said = escape(f"{checks} not run: {reason}")
        console.print(f"[yellow]{said}[/]", highlight=False, soft_wrap=True)
    if reasons:
        console.print()
