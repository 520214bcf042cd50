"""What a run shows: live progress, the plan with its diffs, and the closing table."""

import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from provision.apply import BlockedError, Need, Outcome
from provision.errors import QuartetError
from provision.plan import TRIGGERED, MachinePlan, Step

_WIDTH_OF_LOGS = 120


class LiveProgress:
    """A line a machine on a terminal, or a line an event elsewhere."""

    def __init__(self, console: Console, plans: Mapping[str, MachinePlan]) -> None:
        self._console = console
        self._width = max((len(name) for name in plans), default=0)
        self._total = {name: len(plan.steps) for name, plan in plans.items()}
        self._done = dict.fromkeys(plans, 0)
        self._doing = dict.fromkeys(plans, "")
        self._lock = threading.Lock()
        self._live = Live(
            get_renderable=self._render, console=console, refresh_per_second=10, transient=True
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal and any(self._total.values()):
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    def started(self, machine: str, step: Step) -> None:
        """Show what a machine is at."""
        self._doing[machine] = step.resource.id

    def waiting(self, machine: str, step: Step, need: Need) -> None:
        """Show whom a machine waits for."""
        self._doing[machine] = f"{step.resource.id}: waits for {need[1]} on {need[0]}"

    def repeated(self, machine: str, step: Step, left: Mapping[str, str]) -> None:
        """Leave a line of what was not right at the first time."""
        found = ", ".join(f"{key} is {value}" for key, value in left.items())
        what = escape(f"{step.resource.id} ({found})")
        line = f"[yellow]again  [/] [bold]{machine:<{self._width}}[/] {what}"
        self._console.print(line, highlight=False, soft_wrap=True)

    def finished(self, machine: str, step: Step, error: QuartetError | None) -> None:
        """Count a step, and leave a line of it behind."""
        with self._lock:
            self._done[machine] += 1
            self._doing[machine] = ""
        sign = "[red]failed [/]" if error else "[green]changed[/]"
        what = escape(describe(step))
        self._console.print(f"{sign} [bold]{machine:<{self._width}}[/] {what}", highlight=False)

    def _render(self) -> Group:
        return Group(*[self._line(name) for name in self._total if self._is_busy(name)])

    def _is_busy(self, name: str) -> bool:
        return self._done[name] < self._total[name]

    def _line(self, name: str) -> Spinner:
        text = (
            f"{name:<{self._width}} {self._done[name]:>2}/{self._total[name]} {self._doing[name]}"
        )
        return Spinner("dots", text=Text(text, overflow="ellipsis", no_wrap=True))


def describe(step: Step) -> str:
    """One line on a step: what it is, and what of it differs."""
    if TRIGGERED in step.changes:
        return f"{step.resource.id} (after {step.changes[TRIGGERED].splitlines()[0]})"
    if step.is_new:
        return f"{step.resource.id} (new)"
    return f"{step.resource.id} ({', '.join(step.changes)})"


def print_plan(console: Console, plan: MachinePlan, diffs: Mapping[str, str]) -> None:
    """One machine's steps, with what each does below it, and the diff under each file."""
    from rich.syntax import Syntax  # noqa: PLC0415 brings all of Pygments, and only a plan needs it

    head = f"{len(plan.steps)} to change, {plan.unchanged} unchanged"
    console.print(f"[bold]{plan.machine}[/]: {head}", highlight=False)
    for step in plan.steps:
        console.print(f"  [yellow]~[/] {escape(describe(step))}", highlight=False)
        for line in step.resource.effects(step.changes):
            console.print(Padding.indent(Text(line, style="dim"), 6))
        diff = diffs.get(getattr(step.resource, "path", ""), "")
        if diff:
            console.print(Syntax(diff, "diff", background_color="default"), soft_wrap=True)


def print_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """The closing table, and below it each error in full."""
    table = make_table("machine")
    for name in ("changed", "unchanged", "failed", "skipped", "seconds"):
        table.add_column(name, justify="right")
    for each in outcomes:
        style = "red" if each.failed else None
        counts = (each.changed, each.unchanged, each.failed, each.skipped)
        table.add_row(each.machine, *map(str, counts), f"{each.seconds:.1f}", style=style)
    console.print(table)
    for error in (error for each in outcomes for error in each.errors):
        kind = "[yellow]skipped[/]" if isinstance(error, BlockedError) else "[red]error[/]"
        console.print(f"\n[bold]{kind}[/] {escape(str(error))}", highlight=False, soft_wrap=True)


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line: how much was changed and how much failed."""
    changed = sum(each.changed for each in outcomes)
    failed = sum(each.failed for each in outcomes)
    unchanged = sum(each.unchanged for each in outcomes)
    return f"{changed} changed, {unchanged} unchanged, {failed} failed"


def make_console() -> Console:
    """Where tables and progress go: as wide as the terminal, or wide enough for a log."""
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_LOGS)


def make_table(*columns: str) -> Table:
    """A table without lines, its columns named."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table
