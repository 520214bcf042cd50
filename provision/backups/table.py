"""The dumps as a table."""

from collections.abc import Iterable

from rich.table import Table

from provision.backups.agents import Report
from provision.backups.records import Dump
from provision.backups.shelf import Shelf
from provision.report import make_console

HERE = "here"


def print_dumps(reports: Iterable[Report], shelf: Shelf) -> None:
    """One line a dump, oldest first: when, of which machine, where it is, and how far it goes."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("taken (UTC)", "machine", "bytes", "copies", "verified (UTC)", "up to"):
        table.add_column(title, overflow="fold")
    for dump, places in _places(reports, shelf):
        table.add_row(*_row(dump, places, shelf))
    make_console().print(table)


def _places(reports: Iterable[Report], shelf: Shelf) -> list[tuple[Dump, list[str]]]:
    found = {dump.name: (dump, [HERE]) for dump in shelf.dumps()}
    for report in reports:
        for facts in report.dumps:
            dump = Dump.from_facts(facts)
            found.setdefault(dump.name, (dump, []))[1].append(report.machine)
    return sorted(found.values(), key=lambda each: each[0].taken_at)


def _row(dump: Dump, places: list[str], shelf: Shelf) -> tuple[str, ...]:
    verified = shelf.verified(dump)
    return (
        dump.taken_at.strftime("%Y-%m-%d %H:%M:%S"),
        dump.machine,
        str(dump.size),
        ", ".join(places),
        verified["at"].replace("T", " ").rstrip("Z") if verified else "no",
        str(dump.gtid),
    )
