"""Whether a restored server has exactly what a live one had."""

from provision.backups.agents import Report
from provision.backups.history import Recipe
from provision.backups.restoring import Result
from provision.errors import QuartetError
from provision.mysql.gtid import GtidSet


def compare(live: Result, restored: Result, best: Report, found: Recipe) -> None:
    """Raise QuartetError where the restored server is not what the live one was."""
    had, has = GtidSet(live["executed"]), GtidSet(restored["executed"])
    if had - has or has - had:
        raise QuartetError(
            found.dump.name,
            f"restored with all logs, it has {has}, and {best.machine} had {had}",
            "see what there is (./lab db.backups), and begin anew: ./lab db.backup",
        )
    tables = {*live["sums"], *restored["sums"]}
    wrong = sorted(each for each in tables if live["sums"].get(each) != restored["sums"].get(each))
    if wrong:
        raise QuartetError(
            found.dump.name,
            f"restored, it differs from {best.machine} in {', '.join(wrong)}",
            "one of the two is wrong: compare with another replica; then ./lab db.backup",
        )
