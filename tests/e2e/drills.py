"""`inv drill` on a lab of the tests', and what the bars are."""

import json
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.sandbox import Run, Sandbox

SWITCHOVER_PAUSE_S = 1.0
BY_COMMAND_S = 5.0
AUTOMATIC_S = 10.0
PAUSE_BETWEEN_FAILOVERS_S = 5
AUTOMATIC = (
    ("failover: manual ", "failover: automatic "),
    ("failover_pause_s: 600 ", f"failover_pause_s: {PAUSE_BETWEEN_FAILOVERS_S} "),
)
"""A change of topology.yml."""


@dataclass(frozen=True)
class Trial:
    """One row of a drill's JSON."""

    row: dict[str, Any]

    def __str__(self) -> str:
        row, account = self.row, self.row["account"]
        return (
            f"{row['event']:<13} acknowledged {account['acknowledged']:>5}"
            f"  lost {len(account['lost'])}  refused {account['refused']:>3}"
            f"  undecided {account['undecided']:>2} ({account['undecided_stored']} stored)"
            f"  failed {len(account['failed'])}  pause {row['pause_s']:5.2f} s"
            f"  writable after {row['writable_after_s'] or 0:5.2f} s"
            f"  writable servers {row['most_writable']}  {row['note']}"
        )

    def loses_nothing(self) -> bool:
        """What holds for every event: acknowledged is stored, and one server alone takes writes.

        As the drill itself says: no write may have an answer that tells nothing of it.
        """
        row, account = self.row, self.row["account"]
        is_kept = not any(account[each] for each in ("lost", "broken", "twice", "failed"))
        return bool(is_kept and row["most_writable"] == 1 and row["goes_on"])

    def fails_no_request(self) -> bool:
        """Whether every write was acknowledged, sooner or later."""
        account = self.row["account"]
        return not (account["refused"] or account["undecided"] or account["failed"])

    def is_smooth(self) -> bool:
        """Bar of a planned switchover: a short pause, and no request that failed."""
        return bool(self.row["pause_s"] <= SWITCHOVER_PAUSE_S and self.fails_no_request())

    def is_back_within(self, seconds: float) -> bool:
        """Bar of a failover, from the command's start, or from the fault where it is automatic."""
        return bool(self.row["writable_after_s"] <= seconds)


def bar_is_met(sandbox: Sandbox, trials: Iterable[Trial], is_met: Callable[[Trial], bool]) -> bool:
    """Whether all trials are in time; one that isn't, as where the host stalled, is done anew.

    What is lost is no matter of time: such a trial is not given a second chance.
    """
    missed = [trial for trial in trials if not is_met(trial)]
    for trial in missed:
        warnings.warn(f"not in time, and done once more: {trial}", stacklevel=2)
    again = [drill(sandbox, trial.row["event"])[0] for trial in missed]
    return all(trial.loses_nothing() and is_met(trial) for trial in again)


def drill(sandbox: Sandbox, *events: str, repeat: int = 1, seed: int = 1) -> list[Trial]:
    """Run a drill that finds nothing wrong, and return its trials."""
    run, trials = try_drill(sandbox, *events, repeat=repeat, seed=seed)
    assert run.code == 0, run.output
    return trials


def try_drill(
    sandbox: Sandbox, *events: str, repeat: int = 1, seed: int = 1
) -> tuple[Run, list[Trial]]:
    """Run a drill to its end, whatever it finds."""
    path = Path(sandbox.topology_file.parent, "drill.json")
    path.unlink(missing_ok=True)
    words = ["--events", ",".join(events), "--repeat", str(repeat), "--seed", str(seed)]
    run = sandbox.inv("drill", *words, "--json", str(path))
    assert path.exists(), run.output
    trials = [Trial(row) for row in json.loads(path.read_text())]
    assert len(trials) == len(events) * repeat, run.output
    return run, trials
