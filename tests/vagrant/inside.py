"""The part of the run that happens in the machines' own world; `python -m tests.vagrant` enters it.

python -m tests.vagrant.inside SCRATCH WAY…
"""

import sys
from pathlib import Path

from tests.vagrant import daemons
from tests.vagrant.journey import Journey
from tests.vagrant.places import LOGS, Scratch
from tests.vagrant.steps import Steps
from tests.vagrant.world import furnish


def main(folder: str, *ways: str) -> int:
    """Go the ways that were asked for, up to the first that fails; then show the table."""
    scratch = Scratch(Path(folder))
    furnish(scratch)
    steps = Steps(LOGS)
    try:
        with daemons.running(scratch):
            _travel(Journey(scratch, steps), ways)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    steps.print_table()
    return 1 if steps.has_failed or not steps.done else 0


def _travel(journey: Journey, ways: tuple[str, ...]) -> None:
    journey.add_box()
    if "task" in ways:
        journey.by_task()
    if "vagrant" in ways:
        journey.by_vagrant()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
