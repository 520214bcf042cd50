"""The password for sudo: asked for once, kept in memory alone, and never on a command line."""

import threading
from collections.abc import Callable

from provision.connection.failures import RunEndingError

Ask = Callable[[str], str]
Try = Callable[[str], bool]


class SudoPassword:
    """One password for all machines of a run; `ask` puts the question to the person."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._password: str | None = None
        self._refused: RunEndingError | None = None

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
                self._password = self._ask(f"sudo password of {user} (asked for once, not kept): ")
            if not accepts(self._password):
                self._refused = RunEndingError(
                    name,
                    f"sudo refused the password of {user}; nothing was changed on any machine",
                    "run it again with the right one; all machines have to take the same",
                )
                raise self._refused
            return self._password
