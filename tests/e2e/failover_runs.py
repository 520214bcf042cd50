"""Many trials of what the data tier promises, on one lab.

A command of its own, since a trial takes about 15 seconds:

    python -m tests.e2e.failover_runs --kind switchover --trials 20
    python -m tests.e2e.failover_runs --kind by-command --trials 25
    python -m tests.e2e.failover_runs --kind automatic --trials 25
    python -m tests.e2e.failover_runs --kind automatic-partition --trials 5
    python -m tests.e2e.failover_runs --kind mixed --trials 7
    python -m tests.e2e.failover_runs --kind operator-kill --trials 30
    python -m tests.e2e.failover_runs --kind fresh-reads --trials 1000

The exit status is the number of trials that missed their bar.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from provision.drill.events import EVENTS, KILLED_WITHIN_S
from tests.e2e import drills
from tests.e2e.drills import Trial, try_drill
from tests.e2e.fresh_pairs import late_replicas, write_and_read
from tests.e2e.sandbox import Sandbox

UNPLANNED = ("mysqld-kill", "power-cut")
KINDS: dict[str, tuple[tuple[str, ...], Callable[[Trial], bool]]] = {
    "switchover": (("switchover",), Trial.is_smooth),
    "by-command": (UNPLANNED, lambda trial: trial.is_back_within(drills.BY_COMMAND_S)),
    "automatic": (UNPLANNED, lambda trial: trial.is_back_within(drills.AUTOMATIC_S)),
    "automatic-partition": (
        ("partition",),
        lambda trial: trial.is_back_within(drills.AUTOMATIC_S),
    ),
    "mixed": (tuple(EVENTS), lambda trial: True),
    "operator-kill": (("operator-kill",), lambda trial: True),
}
"""The events, which take turns, and the bar beside losing nothing."""


def main() -> int:
    """Boot a lab, do what was asked for, and remove it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kind", choices=[*KINDS, "fresh-reads"], required=True)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), name="failover")
        if wish.kind.startswith("automatic"):
            sandbox.rewrite(*drills.AUTOMATIC)
        try:
            sandbox.lab().up()
            provisioned = sandbox.inv("provision")
            if provisioned.code != 0:
                raise SystemExit(provisioned.output)
            if wish.kind == "fresh-reads":
                return _fresh_reads(sandbox, wish.trials)
            return _trials(sandbox, wish.kind, wish.trials, wish.seed)
        finally:
            sandbox.inv("destroy")


def _trials(sandbox: Sandbox, kind: str, count: int, seed: int) -> int:
    events, is_met = KINDS[kind]
    # The kills of commands take turns within a drill.
    at_once = len(KILLED_WITHIN_S) if kind == "operator-kill" else 1
    done: list[bool] = []
    while len(done) < count:
        event = events[len(done) % len(events)]
        _, trials = try_drill(sandbox, event, repeat=at_once, seed=seed + len(done))
        for trial in trials:
            done.append(trial.loses_nothing() and is_met(trial))
            print(f"{len(done):>3} {'ok    ' if done[-1] else 'MISSED'} {trial}", flush=True)
    print(f"{kind}: {sum(done)} of {len(done)}")
    return done.count(False)


def _fresh_reads(sandbox: Sandbox, count: int) -> int:
    with late_replicas(sandbox) as replicas:
        fresh = write_and_read(sandbox, count, fresh=True)
        without = write_and_read(sandbox, count // 10, fresh=False)
    stale = [pair for pair in fresh if not pair.is_fresh]
    by = Counter("replica" if pair.database in replicas else "primary" for pair in fresh)
    print(f"fresh reads on:  {count - len(stale)} of {count} fresh; answered by {dict(by)}")
    late = sum(not pair.is_fresh for pair in without)
    print(f"fresh reads off: {late} of {len(without)} stale")
    return len(stale) + (late == 0)


if __name__ == "__main__":
    sys.exit(main())
