"""Writes: to the primary, repeated until one takes it or the time is over.

While the primary's role moves to another server, writes wait here and none fails. Repeating is safe
only for work that stores the same thing once however often it is done, even where the answer to an
earlier attempt was lost: see messages.store and its token.
"""

import logging
import time
from collections.abc import Iterator
from threading import BoundedSemaphore
from typing import TypeVar

import pymysql

from board.deadline import Deadline
from board.errors import (
    UnavailableError,
    WritesPausedError,
    WriteUndecidedError,
    is_passing,
    is_read_only,
    is_undecided,
    words_of,
)
from board.pool import Pool, Work

# Nginx gives up after 9 s, HAProxy after 10.
WRITE_SECONDS = 8.0
ANSWER_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.1
# Of gunicorn's 8 threads: the others go on reading, however long no primary answers.
MOST_WRITES = 6
PLACE_SECONDS = 1.0

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class AttemptError(Exception):
    """One attempt failed: whether another may succeed, and whether this one may be stored."""

    def __init__(self, words: str, *, is_passing: bool, is_undecided: bool) -> None:
        super().__init__(words)
        self.is_passing = is_passing
        self.is_undecided = is_undecided


class Writer:
    """Writes through the router."""

    def __init__(self, primary: Pool) -> None:
        self._primary = primary
        self._places = BoundedSemaphore(MOST_WRITES)

    def write(self, work: Work[Result]) -> tuple[Result, str]:
        """Write, and return the result and the database that took it.

        Raises WritesPausedError when it is certainly not stored, WriteUndecidedError when maybe.
        """
        deadline = Deadline(WRITE_SECONDS)
        if not self._places.acquire(timeout=PLACE_SECONDS):
            raise WritesPausedError("too many writes wait for the primary already")
        try:
            return self._repeat(work, deadline)
        finally:
            self._places.release()

    def _repeat(self, work: Work[Result], deadline: Deadline) -> tuple[Result, str]:
        failures: list[AttemptError] = []
        for pause in _pauses():
            try:
                return self._attempt(work, deadline)
            except AttemptError as failure:
                failures.append(failure)
            if not failures[-1].is_passing or deadline.left <= pause:
                break
            time.sleep(pause)
        raise _verdict(failures) from failures[-1]

    def _attempt(self, work: Work[Result], deadline: Deadline) -> tuple[Result, str]:
        server = ""
        try:
            with self._primary.connection(deadline, ANSWER_SECONDS) as connection:
                server = connection.server
                return work(connection), server
        except UnavailableError as error:
            raise AttemptError(
                f"no primary answers ({error})",
                is_passing=is_passing(error.__cause__),
                is_undecided=False,
            ) from error
        except pymysql.err.MySQLError as error:
            log.info("write on %s failed: %s", server, words_of(error))
            raise AttemptError(
                _said(server, error),
                is_passing=is_passing(error),
                is_undecided=is_undecided(error),
            ) from error


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.2, LONGEST_PAUSE_SECONDS)


def _said(server: str, error: pymysql.err.MySQLError) -> str:
    if is_undecided(error):
        return f"{server} did not confirm the write ({words_of(error)})"
    if is_read_only(error):
        return f"{server} is read-only at the moment"
    return f"{server} refused the write ({words_of(error)})"


def _verdict(failures: list[AttemptError]) -> WritesPausedError | WriteUndecidedError:
    """Judge by all attempts: one whose outcome is unknown leaves the whole undecided."""
    undecided = [each for each in failures if each.is_undecided]
    said = str((undecided or failures)[-1])
    log.warning("write failed after %d attempts: %s", len(failures), said)
    return WriteUndecidedError(said) if undecided else WritesPausedError(said)
