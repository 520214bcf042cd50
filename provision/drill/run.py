"""A drill from its first look to its table."""

from pathlib import Path

from provision.console import say
from provision.drill.ending import signals_interrupt
from provision.drill.report import Row, print_rows, write_json
from provision.drill.trial import Drill, ledgers
from provision.drill.wishes import Wish
from provision.errors import QuartetError
from provision.lab import Lab
from provision.topology import Topology


def run(topology: Topology, config: Path, lab: Lab, about: list[str], wish: Wish) -> None:
    """Let the events happen one after the other, and print what became of every write.

    `about` are the options that name the system to other tasks. QuartetError where an acknowledged
    write was lost, or anything else was as it must not be.
    """
    say(f"seed {wish.seed}; ledgers in {ledgers(topology)}")
    rows: list[Row] = []
    drill = Drill(topology, config, lab, about, wish)
    try:
        with signals_interrupt():
            for name in wish.events:
                for trial in range(1, wish.repeat + 1):
                    rows.append(drill.trial(name, trial))
    finally:
        if rows:
            print_rows(rows)
        if wish.json:
            write_json(rows, wish.json)
    wrong = [fault for row in rows for fault in row.faults()]
    if wrong:
        raise QuartetError("drill", "\n".join(wrong), "the ledgers tell of every write")
