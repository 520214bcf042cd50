"""One operation at a time, whoever starts it: a named lock, held on a majority of the servers.

MySQL frees a named lock when its session ends, so that an operation that was killed holds none.
Source: https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
"""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType

from dbagent.config import AgentError, Config, Peer
from dbagent.mysql import Session, dial
from dbagent.survey import FAILURES, at_once

NAME = "quartet.dbagent"
# The sessions of a holder whose machine is off end by themselves; those of a living one are used.
IDLE_S = 10
USED_EVERY_S = 3
POLL_S = 0.2
ANSWER_S = 3
_HELD = "SELECT IS_USED_LOCK(%s) = CONNECTION_ID()"
_HOLDER = """
SELECT attr_value FROM performance_schema.session_connect_attrs
 WHERE processlist_id = IS_USED_LOCK(%s) AND attr_name = 'program_name'
"""


class Lock:
    """The right to change roles; AgentError tells who holds it, since when, for what.

    It is waited for at most `patience_s` seconds.
    """

    def __init__(self, config: Config, operation: str, by: str, patience_s: float = 0) -> None:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._config = config
        self._program = f"{operation}, started by {by} at {since}"
        self._patience_s = patience_s
        self._sessions: dict[str, Session] = {}
        self._lost: dict[str, str] = {}
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self.away: dict[str, str] = {}
        """Why some server could not be connected to, by its name."""

    def __enter__(self) -> "Lock":
        deadline = time.monotonic() + self._patience_s
        while (refusal := self._attempt()) is not None:
            if time.monotonic() > deadline:
                raise refusal
            time.sleep(POLL_S)
        threading.Thread(target=self._keep, daemon=True, name="lock").start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._give_back()

    def confirm(self) -> None:
        """See that it is still held, before what can't be undone; LostLockError where it isn't."""
        self._use()
        if len(self._sessions) - len(self._lost) < self._config.majority:
            reasons = "; ".join(f"{name} ({reason})" for name, reason in self._lost.items())
            raise LostLockError(
                "the databases",
                f"too few of them answer now to be sure that nobody else is at work: {reasons}",
                "./lab db.status, then again",
            )

    def _attempt(self) -> AgentError | None:
        answers = at_once(self._config.databases, self._take)
        self._sessions = {name: s for name, s in answers.items() if isinstance(s, Session)}
        self.away = {name: str(e) for name, e in answers.items() if isinstance(e, FAILURES)}
        if self._is_enough(answers):
            return None
        self._give_back()
        return self._refusal(answers)

    def _keep(self) -> None:
        while not self._ended.wait(USED_EVERY_S):
            self._use()

    def _use(self) -> None:
        """Use the sessions, and note by which it is not held any more."""
        with self._guard:
            for name in self._sessions.keys() - self._lost.keys():
                if reason := _loss(self._sessions[name]):
                    self._lost[name] = reason

    def _take(self, peer: Peer) -> Session:
        session = dial(self._config, peer, self._program)
        session.run(f"SET SESSION wait_timeout = {IDLE_S}")
        if session.value("SELECT GET_LOCK(%s, 0)", NAME) == 1:
            return session
        holder = session.rows(_HOLDER, NAME)
        session.close()
        raise _HeldError(holder[0]["attr_value"] if holder else "somebody who is just done")

    def _is_enough(self, answers: dict[str, Session | Exception]) -> bool:
        """Whether nobody else can hold as many; with two servers each of two could hold one."""
        majority = self._config.majority
        is_held = any(isinstance(each, _HeldError) for each in answers.values())
        may_both = 2 * majority <= len(self._config.databases)
        return len(self._sessions) >= majority and not (is_held and may_both)

    def _refusal(self, answers: dict[str, Session | Exception]) -> AgentError:
        holders = [str(each) for each in answers.values() if isinstance(each, _HeldError)]
        if holders:
            return AgentError(
                "the databases",
                f"another operation is under way: {holders[0]}",
                "wait for its end, then look at ./lab db.status",
            )
        away = [f"{name} ({reason})" for name, reason in self.away.items()]
        return AgentError(
            "the databases",
            f"too few of them answer to be sure that nobody else is at work: {'; '.join(away)}",
            "bring one of them back (./lab up), or look at ./lab db.status",
        )

    def _give_back(self) -> None:
        with self._guard:
            for session in self._sessions.values():
                with suppress(*FAILURES):
                    session.rows("SELECT RELEASE_LOCK(%s)", NAME, answer_s=1)
                session.close()
            self._sessions = {}


def _loss(session: Session) -> str:
    """Why the lock is not held by a session, or nothing."""
    try:
        is_held = session.value(_HELD, NAME, answer_s=ANSWER_S)
    except FAILURES as error:
        return str(error) or type(error).__name__
    return "" if is_held else "its session there has ended"


class LostLockError(AgentError):
    """It was held and is no more; nothing has been done that can't be undone."""


class _HeldError(AgentError):
    def __init__(self, holder: str) -> None:
        super().__init__("", holder)

    def __str__(self) -> str:
        return self.what
