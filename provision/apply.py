"""Carry out plans: machines side by side, each step read again, failures kept to where they are."""

import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from provision.errors import CutOffError, QuartetError
from provision.plan import MachinePlan, Step
from provision.resources import Host, changed_keys

Need = tuple[str, str]


class BlockedError(QuartetError):
    """A step needs a resource of another machine that won't be reached in this run."""


class Progress(Protocol):
    """Who is told how the work goes; called from the machines' own threads."""

    def started(self, machine: str, step: Step) -> None:
        """A step has begun."""

    def waiting(self, machine: str, step: Step, need: Need) -> None:
        """A step waits for a resource of another machine."""

    def repeated(self, machine: str, step: Step, left: Mapping[str, str]) -> None:
        """A step has to be done again: so much of it was not as it should be afterwards."""

    def finished(self, machine: str, step: Step, error: QuartetError | None) -> None:
        """A step has ended, well or not."""


@dataclass
class Outcome:
    """What became of one machine."""

    machine: str
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    errors: list[QuartetError] = field(default_factory=list)


class Board:
    """Which resources are as they should be, where one machine waits for another."""

    def __init__(self, plans: Mapping[str, MachinePlan]) -> None:
        self._condition = threading.Condition()
        self._pending = {
            (name, step.resource.id) for name, plan in plans.items() for step in plan.steps
        }
        self._failed: set[Need] = set()

    def settle(self, need: Need, *, failed: bool) -> None:
        """Say that a resource was reached, or that it will not be in this run."""
        with self._condition:
            self._pending.discard(need)
            if failed:
                self._failed.add(need)
            self._condition.notify_all()

    def wait_for(self, need: Need, where: str) -> None:
        """Return when the other machine has what is needed; raise once it can't have it."""
        with self._condition:
            self._condition.wait_for(lambda: need not in self._pending)
            if need in self._failed:
                raise _blocked(where, need)

    def wait_for_turn(self, need: Need) -> None:
        """Return when nobody is at work on it any more, well or not."""
        with self._condition:
            self._condition.wait_for(lambda: need not in self._pending)

    def is_pending(self, need: Need) -> bool:
        """Whether somebody is still at work on it."""
        with self._condition:
            return need in self._pending


def apply(
    plans: Mapping[str, MachinePlan],
    hosts: Mapping[str, Host],
    unreached: Collection[Need],
    progress: Progress,
) -> list[Outcome]:
    """Carry out all plans and return each machine's outcome.

    `unreached` are resources outside of these plans that are not as they should be: a step that
    needs one of them fails at once, and says so.
    """
    board = Board(plans)
    for need in unreached:
        board.settle(need, failed=True)
    # One thread each, since machines wait for each other: a smaller pool could wait for ever.
    works = [_MachineWork(plan, hosts[name], board, progress) for name, plan in plans.items()]
    with ThreadPoolExecutor(max_workers=max(len(plans), 1)) as pool:
        try:
            return list(pool.map(lambda work: work.run(), works))
        except KeyboardInterrupt:
            # The steps under way are finished; no other is begun.
            for work in works:
                work.stop()
            raise


class _MachineWork:
    """One machine's steps, one after the other."""

    def __init__(self, plan: MachinePlan, host: Host, board: Board, progress: Progress) -> None:
        self._plan = plan
        self._host = host
        self._board = board
        self._progress = progress
        self._outcome = Outcome(plan.machine, unchanged=plan.unchanged)
        self._given_up: set[str] = set()
        self._stopped = False

    def stop(self) -> None:
        """Begin no further step."""
        self._stopped = True

    def run(self) -> Outcome:
        """Work through the plan; what fails stops its own role, or the machine if all needs it."""
        began = time.monotonic()
        try:
            for step in self._plan.steps:
                self._take(step)
        finally:
            self._settle_rest()
        self._outcome.seconds = time.monotonic() - began
        return self._outcome

    def _take(self, step: Step) -> None:
        need = (self._plan.machine, step.resource.id)
        if self._stopped or step.role in self._given_up:
            self._outcome.skipped += 1
            self._board.settle(need, failed=True)
            return
        error = self._try(step)
        self._board.settle(need, failed=error is not None)
        self._record(step, error)
        self._progress.finished(self._plan.machine, step, error)

    def _try(self, step: Step) -> QuartetError | None:
        try:
            self._await_needs(step)
            self._progress.started(self._plan.machine, step)
            with suppress(CutOffError):
                step.resource.apply(self._host, step.changes)
            left = self._left(step)
            if left:
                # What went away meanwhile, as a server that restarts, is there at the second time.
                self._progress.repeated(self._plan.machine, step, left)
                step.resource.apply(self._host, left)
                self._verify(step)
        except QuartetError as error:
            return error
        except Exception as error:  # one machine's surprise must not cost the others' outcome
            what = f"{step.resource.id}: {type(error).__name__}: {error}"
            return QuartetError(self._plan.machine, what, "this is a bug in Quartet: report it")
        return None

    def _await_needs(self, step: Step) -> None:
        for need in step.resource.turn if step.interrupts else ():
            self._board.wait_for_turn(need)
        for need in (*step.resource.requires, *step.resource.after):
            if self._board.is_pending(need):
                self._progress.waiting(self._plan.machine, step, need)
            self._board.wait_for(need, self._plan.machine)

    def _left(self, step: Step) -> dict[str, str]:
        """Read the resource again: that a command ended well proves nothing."""
        return changed_keys(step.resource, self._host.read(step.resource.facts()))

    def _verify(self, step: Step) -> None:
        left = self._left(step)
        if left:
            desired = step.resource.desired()
            lines = [f"{key} is {value}, should be {desired[key]}" for key, value in left.items()]
            raise QuartetError(
                self._plan.machine,
                f"{step.resource.id} is not as it should be after the change: {'; '.join(lines)}",
                f"see what changes it there: ./lab ssh {self._plan.machine}",
            )

    def _record(self, step: Step, error: QuartetError | None) -> None:
        if error is None:
            self._outcome.changed += 1
            return
        self._given_up.add(step.role)
        self._outcome.errors.append(error)
        if isinstance(error, BlockedError):
            self._outcome.skipped += 1
            return
        self._outcome.failed += 1
        if step.resource.blocks_machine or getattr(error, "ends_machine", False):
            self._stopped = True

    def _settle_rest(self) -> None:
        """Whatever happened, nobody may go on waiting for this machine."""
        for step in self._plan.steps:
            need = (self._plan.machine, step.resource.id)
            if self._board.is_pending(need):
                self._board.settle(need, failed=True)


def _blocked(where: str, need: Need) -> BlockedError:
    machine, resource = need
    return BlockedError(
        where,
        f"needs {resource} on {machine}, which is not as it should be and not reached in this run",
        f"mend {machine} first, or let the run include it",
    )
