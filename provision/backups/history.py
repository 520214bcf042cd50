"""Which dump and which binary logs make the state at a moment: one history from many archives.

Every server writes all transactions to its own logs, under the same GTIDs, so a log of any machine
carries on from a state that has all that came before it. What a server executed and then gave up,
since it was cloned anew, is left out; so is what the primary never had.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from provision.backups.records import Dump, Log
from provision.backups.target import Target, told
from provision.errors import QuartetError
from provision.mysql.gtid import GtidSet

# A server's clock may be ahead of ours; where exactly to stop is told by what is in the logs.
CLOCKS = timedelta(minutes=10)


class IncompleteError(QuartetError):
    """Some of the binary logs between a dump and the moment are in no archive."""


@dataclass(frozen=True)
class Step:
    """One log to replay, without these transactions."""

    log: Log
    exclude: GtidSet
    before: GtidSet
    new: GtidSet


@dataclass(frozen=True)
class Recipe:
    """The dump to start from, and the logs to replay, in this order.

    `is_foreign` tells that the live primary does not have what is in the dump.
    """

    dump: Dump
    steps: tuple[Step, ...] = ()
    is_foreign: bool = False


@dataclass
class _State:
    """What a restore has when it has come so far."""

    has: GtidSet
    steps: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        self.steps.append(step)
        self.has = union(self.has, step.new)


def recipe(
    dumps: Sequence[Dump], logs: Sequence[Log], target: Target, include: GtidSet | None
) -> Recipe:
    """The shortest way to the state that is wanted; QuartetError where there is none.

    `include` has all that the primary has executed; None where there is nobody to ask. Where no
    dump fits into that, the live databases are others than those of the backups: set up anew, or of
    another branch; then all that the archives have counts.
    """
    usable = [dump for dump in dumps if _is_before(dump, target)]
    if not usable:
        raise _no_dump(dumps, target)
    sound = [dump for dump in usable if include is None or dump.gtid <= include]
    if not sound:
        return replace(recipe(dumps, logs, target, None), is_foreign=True)
    steps = _steps(logs, include)
    failures: list[IncompleteError] = []
    for dump in reversed(sound):
        try:
            return _carried_on(dump, steps, target)
        except IncompleteError as error:
            failures.append(error)
    raise failures[0]


def union(one: GtidSet, other: GtidSet) -> GtidSet:
    """The transactions of both."""
    return GtidSet(f"{one},{other}")


def _is_before(dump: Dump, target: Target) -> bool:
    if target.at:
        return dump.taken_at <= target.at
    return not (target.before_gtid and GtidSet(target.before_gtid) <= dump.gtid)


def _steps(logs: Sequence[Log], include: GtidSet | None) -> list[Step]:
    """Each log with what of it counts; the logs of one machine after each other."""
    found: list[Step] = []
    for machine in dict.fromkeys(log.machine for log in logs):
        own = [log for log in logs if log.machine == machine]
        found += [_only(step, include) for step in _without_given_up(own)]
    return found


def _without_given_up(logs: Sequence[Log]) -> list[Step]:
    """Leave out what a later log of the same machine no longer has behind it."""
    steps: list[Step] = []
    lasting: GtidSet | None = None
    for log in reversed(logs):
        gone = log.after - lasting if lasting is not None else GtidSet()
        steps.append(Step(log, gone, log.before - gone, log.after - log.before - gone))
        lasting = log.before if lasting is None else _common(lasting, log.before)
    return steps[::-1]


def _only(step: Step, include: GtidSet | None) -> Step:
    if include is None:
        return step
    return replace(step, before=_common(step.before, include), new=_common(step.new, include))


def _common(one: GtidSet, other: GtidSet) -> GtidSet:
    return one - (one - other)


def _carried_on(dump: Dump, steps: Sequence[Step], target: Target) -> Recipe:
    early = [step for step in steps if _begins_before(step.log, target.at, CLOCKS)]
    state = _State(dump.gtid)
    while _walk(early, state, target):
        pass
    if target.before_gtid and not GtidSet(target.before_gtid) <= state.has:
        raise _unknown(target.before_gtid)
    if not target.before_gtid:
        _refuse_holes(dump, steps, state, target)
    return Recipe(dump, tuple(state.steps))


def _walk(steps: Iterable[Step], state: _State, target: Target) -> bool:
    """Replay what carries on from the state; whether there was anything, and more may follow."""
    before = len(state.steps)
    wanted = GtidSet(target.before_gtid or "")
    for step in steps:
        if wanted and wanted <= state.has:
            return False
        if step.before <= state.has and not step.new <= state.has:
            state.take(step)
    return len(state.steps) > before


def _refuse_holes(dump: Dump, steps: Sequence[Step], state: _State, target: Target) -> None:
    for step in steps:
        missing = step.before - state.has
        if missing and not step.new <= state.has and _begins_before(step.log, target.at):
            raise IncompleteError(
                "the archives",
                f"from the dump of {told(dump.taken_at)} on, transactions are missing before"
                f" {step.log.name} of {step.log.machine}: {missing}",
                "bring back the machine that has their binary logs, or restore to before them"
                f" (--at, earlier than {told(step.log.begun_at)}, or --before-gtid)",
            )


def _begins_before(log: Log, at: datetime | None, margin: timedelta = timedelta()) -> bool:
    return at is None or log.begun_at <= at + margin


def _no_dump(dumps: Sequence[Dump], target: Target) -> QuartetError:
    if not dumps:
        return QuartetError("the archives", "there is no dump yet", "./lab db.backup")
    return QuartetError(
        "the archives",
        f"no dump is old enough for {target}; the oldest is of {told(dumps[0].taken_at)}",
        "see what there is: ./lab db.backups",
    )


def _unknown(gtid: str) -> IncompleteError:
    return IncompleteError(
        "--before-gtid",
        f"transaction {gtid} is in no archive, or not all that led to it is",
        "see what there is: ./lab db.backups",
    )
