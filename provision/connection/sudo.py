"""The password for sudo: asked for once, kept in memory alone, and never on a command line."""

import math
import queue
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

from provision.connection.failures import RunEndingError

Ask = Callable[[str], str]
Try = Callable[[str], bool]
LOOK_EVERY_S = 0.05


class SudoPassword:
    """One password for all machines of a run; `ask` puts the question to the person.

    Connections are made in threads, and the question is put in the main one: an interrupt from the
    keyboard arrives there, and a terminal that is left in the middle of a question stays silent.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._questions: queue.SimpleQueue[tuple[str, Future[str]]] = queue.SimpleQueue()
        self._password: str | None = None
        self._refused: RunEndingError | None = None
        self._is_cancelled = False

    def __repr__(self) -> str:
        return "SudoPassword(…)"

    @property
    def known(self) -> str | None:
        """The password, where a machine has wanted it and accepted it."""
        return None if self._refused else self._password

    def unlock(self, name: str, user: str, accepts: Try) -> str:
        """Return a password that this machine's sudo accepts.

        Raises RunEndingError where it doesn't; then no other machine is tried, since a few wrong
        passwords may lock an account.
        """
        with self._lock:
            if self._refused is not None:
                raise self._refused
            if self._password is None:
                question = f"sudo password of {user} (asked for once, not kept): "
                self._password = self._answer_to(question)
            if not accepts(self._password):
                self._refused = RunEndingError(
                    name,
                    f"sudo refused the password of {user}; nothing was changed on any machine",
                    "run it again with the right one; all machines have to take the same",
                )
                raise self._refused
            return self._password

    def serve(
        self,
        awaited: Collection[Future[Any]],
        *,
        until_first: bool = False,
        within_s: float | None = None,
    ) -> None:
        """Put the threads' questions to the person until these are done, all or the first.

        After `within_s` it ends as well; the time that a person takes to answer doesn't count.
        """
        enough = any if until_first else all
        ends_at = math.inf if within_s is None else time.monotonic() + within_s
        while not enough(future.done() for future in awaited) and time.monotonic() < ends_at:
            try:
                question, answer = self._questions.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                continue
            asked_at = time.monotonic()
            self._put(question, answer)
            ends_at += time.monotonic() - asked_at

    def cancel(self) -> None:
        """Put no more questions: whoever waits for an answer, or will, gets an error."""
        self._is_cancelled = True

    def _put(self, question: str, answer: Future[str]) -> None:
        try:
            answer.set_result(self._ask(question))
        except Exception as error:
            answer.set_exception(error)
        except BaseException:
            self.cancel()
            raise

    def _answer_to(self, question: str) -> str:
        if threading.current_thread() is threading.main_thread():
            return self._ask(question)
        answer: Future[str] = Future()
        self._questions.put((question, answer))
        while not self._is_cancelled:
            try:
                return answer.result(timeout=LOOK_EVERY_S)
            except TimeoutError:
                continue
        raise RunEndingError("sudo", "its password is wanted, and was not given", "run it again")
