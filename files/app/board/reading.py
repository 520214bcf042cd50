"""Reads: from a replica that has what the session wrote, else from the primary.

The router picks the replica; a connection that fails is replaced at once, and the router then
picks another. A read may be repeated, so nobody notices, and all of it is bounded in time.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from board import fresh
from board.connection import Connection
from board.deadline import Deadline
from board.errors import UnavailableError
from board.pool import Pool, Work

READ_SECONDS = 4.0
ANSWER_SECONDS = 1.5
FRESH_SECONDS = 0.5

Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer(Generic[Result]):
    """What a database gave.

    `is_fresh` says whether that database had everything the session wrote; None when that was
    nothing. `late` names a replica that did not have it in time; `is_gone`: the primary itself
    lacks it, as after a restore, so that nothing is worth waiting for.
    """

    result: Result
    database: str
    is_fresh: bool | None = None
    late: str | None = None
    is_gone: bool = False


class Reader:
    """Reads through the router."""

    def __init__(self, reads: Pool, writes: Pool) -> None:
        self._replicas = (reads, reads)
        self._primary = (writes,)

    def read(
        self, work: Work[Result], gtids: fresh.Gtids = (), *, waits: bool = True
    ) -> Answer[Result]:
        """Read, after these writes if there are any; raise UnavailableError if nobody answers.

        Who doesn't wait is told all the same whether the answer was fresh.
        """
        deadline = Deadline(READ_SECONDS)
        if gtids and waits:
            return self._read_fresh(work, gtids, deadline)
        return _first((*self._replicas, *self._primary), _at_once(work, gtids), deadline)

    def _read_fresh(
        self, work: Work[Result], gtids: fresh.Gtids, deadline: Deadline
    ) -> Answer[Result]:
        answer: Answer[Result] | str | None = None
        with suppress(UnavailableError):  # the primary is asked, and says if it is away as well
            answer = _first(self._replicas, _after(work, gtids), deadline)
        if isinstance(answer, Answer):
            return answer
        return self._read_primary(work, gtids, deadline, late=answer)

    def _read_primary(
        self, work: Work[Result], gtids: fresh.Gtids, deadline: Deadline, late: str | None
    ) -> Answer[Result]:
        now = _at_once(work, gtids)
        try:
            answer = _first(self._primary, now, deadline)
        except UnavailableError:
            return replace(_first(self._replicas, now, deadline), late=late)
        return replace(answer, late=late, is_gone=not answer.is_fresh)


def _at_once(work: Work[Result], gtids: fresh.Gtids) -> Work[Answer[Result]]:
    def ask(connection: Connection, /) -> Answer[Result]:
        is_fresh = fresh.has(connection, gtids) if gtids else None
        return Answer(work(connection), connection.server, is_fresh)

    return ask


def _after(work: Work[Result], gtids: fresh.Gtids) -> Work[Answer[Result] | str]:
    """Wait, then do the work; return the server's name where it does not have the writes."""

    def ask(connection: Connection, /) -> Answer[Result] | str:
        if not fresh.wait_for(connection, gtids, FRESH_SECONDS):
            return connection.server
        return Answer(work(connection), connection.server, is_fresh=True)

    return ask


def _first(pools: Iterable[Pool], work: Work[Result], deadline: Deadline) -> Result:
    """Return what the first that answers gives."""
    refusals: dict[str, None] = {}
    for pool in pools:
        if deadline.left <= 0:
            break
        try:
            return pool.run(work, deadline, ANSWER_SECONDS)
        except UnavailableError as error:
            refusals[f"{pool.name} ({error})"] = None
    raise UnavailableError(f"no database answers: {'; '.join(refusals) or 'out of time'}")
