"""What a drill found: a row a trial, as a table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape

from provision.drill.keyboard import Done
from provision.drill.ledger import Account
from provision.drill.overlap import Stretch
from provision.report import make_console, make_table


@dataclass(frozen=True)
class Row:
    """One trial; `goes_on` tells whether writes did, and `writable_after_s` is None with no outage.

    `writable` is who took writes from when to when, in Unix time, as far as samples tell, and
    `blind_s` the longest time between two samples of a server: what is shorter can be missed.
    """

    event: str
    trial: int
    account: Account
    pause_s: float
    goes_on: bool
    writable_after_s: float | None
    most_writable: int
    writable: dict[str, list[Stretch]]
    blind_s: float
    note: str
    commands: list[Done]
    ledger: str

    def faults(self) -> list[str]:
        """What must not be."""
        found = {
            "acknowledged writes were lost": len(self.account.lost),
            "refused writes were stored": len(self.account.broken),
            "writes were stored twice": len(self.account.twice),
            "writes failed otherwise": len(self.account.failed),
        }
        told = [f"{count} {what}" for what, count in found.items() if count]
        if self.most_writable != 1:
            told.append(f"{self.most_writable} servers took writes at the same instant")
        if not self.goes_on:
            told.append("writes did not go on")
        return [f"{self.event} {self.trial}: {each} ({self.ledger})" for each in told]


def print_rows(rows: Sequence[Row]) -> None:
    """The table, and what the writers and the commands met below it."""
    table = make_table("event")
    for name in (
        *("acknowledged", "lost", "refused", "undecided (stored)", "failed"),
        *("longest pause", "writable after", "writable servers"),
    ):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*_cells(row), style="red" if row.faults() else None)
    console = make_console()
    console.print(table)
    for row in rows:
        console.print(f"[bold]{row.event} {row.trial}[/] {escape(row.note)}", highlight=False)


def write_json(rows: Sequence[Row], path: Path) -> None:
    """The same for programs."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def _cells(row: Row) -> list[str]:
    account = row.account
    after = "" if row.writable_after_s is None else f"{row.writable_after_s:.2f} s"
    return [
        f"{row.event} {row.trial}",
        str(account.acknowledged),
        str(len(account.lost)),
        str(account.refused),
        f"{account.undecided} ({account.undecided_stored})",
        str(len(account.failed)),
        f"{row.pause_s:.2f} s",
        after if row.goes_on else "never",
        str(row.most_writable),
    ]
