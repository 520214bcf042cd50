"""One machine as a resource's Host: root scripts go in over SSH, answers come out."""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from types import TracebackType
from typing import Self, TypeVar

import fabric
from paramiko import Channel, SSHException

from provision.connection.access import Access
from provision.connection.failures import (
    IS_IT_RUNNING,
    CommandFailedError,
    RunEndingError,
    UnreachableError,
    reason,
)
from provision.connection.streams import converse, exchange
from provision.connection.sudo import SudoPassword
from provision.connection.ways import CONNECT_TIMEOUT_S
from provision.errors import QuartetError
from provision.lab.base import Endpoint
from provision.resources import Fact, Snapshot
from provision.resources.facts import parse_answers, script_for

READ_TIMEOUT_S = 60
SUDO_TIMEOUT_S = 30
LOCK_WAIT_S = 600
LOCK = "/run/lock/quartet.lock"
LOCK_BUSY = 75
GO = b"quartet: go\n"
NOT_ASKED = 76
_AS_ROOT = ("sudo", "-n", "--")
# With -k sudo asks whether or not it was asked just before; from then on its input is ours. Were
# the password not read by sudo, it would end up in a file: the next line has to be GO.
_WITH_PASSWORD = ("sudo", "-k", "-S", "-p", "", "--")
_GUARD = (
    "sh",
    "-c",
    f'read -r line; [ "$line" = "{GO.decode().strip()}" ] || exit {NOT_ASKED}; exec "$@"',
    "sh",
)
# After sudo has read the password nothing may be left. GO would be taken for a second attempt.
_NOTHING_LEFT = ("sh", "-c", f"! read -r line || exit {NOT_ASKED}")
# What sudo says is looked at, and it may speak the machine's language.
_IN_ENGLISH = ("env", "LC_ALL=C")
_NO_PROGRAM = 127
# The words of sudo and of sudo-rs.
_WANTS_PASSWORD = re.compile("password|(authentication|interaction) is required", re.IGNORECASE)
_MAY_NOT = re.compile("not in the sudoers|is not allowed to|may not run|can't do that")
Answer = TypeVar("Answer")
_ONE_AT_A_TIME = ("flock", "-o", "-E", str(LOCK_BUSY), "-w", str(LOCK_WAIT_S), LOCK)


class Connection:
    """One machine, reached as root.

    Scripts run one at a time on a machine, also those that an earlier run, cut off since, left
    running: each takes a lock there, so what is read is never half written.
    """

    def __init__(self, name: str, endpoint: Endpoint, access: Access) -> None:
        self._name = name
        self._endpoint = endpoint
        self._access = access
        self._fabric: fabric.Connection | None = None
        self._as_root: Sequence[str] = _AS_ROOT
        self._greeting = b""

    @property
    def name(self) -> str:
        """The machine's name in topology.yml."""
        return self._name

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connect and log in, unless that is done; UnreachableError says why where it fails."""
        if self._fabric is not None and self._fabric.is_connected:
            return
        self._fabric = self._access.open(self._name, self._endpoint)
        if self._endpoint.user == "root":
            self._as_root = ()
        elif self._access.sudo is not None:
            try:
                self._find_way_to_root(self._access.sudo)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Hang up."""
        if self._fabric is not None:
            self._fabric.close()

    def read(self, facts: Iterable[Fact]) -> Snapshot:
        """Ask all questions in one round trip."""
        questions = tuple(facts)
        return parse_answers(questions, self.run(script_for(questions), timeout_s=READ_TIMEOUT_S))

    def run(
        self, script: str, *, stdin: bytes = b"", timeout_s: float = 60, alone: bool = True
    ) -> str:
        """Run a root shell script and return what it printed on standard output.

        With `alone` False it does not wait for other scripts that run on the machine.

        `timeout_s` bounds the wait for output, in seconds, beside the wait for the machine's lock.
        Raises CommandFailedError for any exit status but 0, and UnreachableError when the
        connection is lost.
        """
        turn = _ONE_AT_A_TIME if alone else ()
        command = [*self._as_root, *turn, "sh", "-c", script]
        wait_s = timeout_s + (LOCK_WAIT_S if alone else 0)
        code, output, errors = self._execute(command, self._greeting + stdin, wait_s)
        self._raise_if_failed(script, code, f"{output}\n{errors}")
        return output

    def stream(
        self,
        script: str,
        take: Callable[[bytes], object],
        *,
        stdin: Iterable[bytes] = (),
        timeout_s: float = 60,
    ) -> None:
        """Run a root shell script whose input or output is too large to be held in memory.

        `take` gets its output piece by piece. It does not wait for other scripts that run on the
        machine, nor do they for it. Raises as `run` does; `timeout_s` bounds each silence.
        """
        command = [*self._as_root, "sh", "-c", script]
        pieces = chain([self._greeting], stdin)
        code, errors = self._talk(command, timeout_s, lambda way: exchange(way, pieces, take))
        self._raise_if_failed(script, code, errors)

    def _raise_if_failed(self, script: str, code: int, said: str) -> None:
        if code == LOCK_BUSY:
            raise self._busy()
        if code == NOT_ASKED and self._greeting:
            raise self._no_root("it took no password this time, so the command was not run")
        if code != 0:
            raise CommandFailedError(self.name, script, code, said)

    def _find_way_to_root(self, sudo: SudoPassword) -> None:
        """See what sudo wants, and whether it takes the password that the person gave."""
        code, _, errors = self._execute([*_IN_ENGLISH, *_AS_ROOT, "true"], b"", SUDO_TIMEOUT_S)
        if code == 0:
            return
        if code == _NO_PROGRAM:
            raise self._no_root("there is no sudo; log in as root, or install it there")
        if not _WANTS_PASSWORD.search(errors):
            raise self._no_root(errors)
        password = sudo.unlock(self.name, self._endpoint.user, self._accepts)
        self._as_root = (*_WITH_PASSWORD, *_GUARD)
        self._greeting = f"{password}\n".encode() + GO

    def _accepts(self, password: str) -> bool:
        command = [*_IN_ENGLISH, *_WITH_PASSWORD, *_NOTHING_LEFT]
        code, _, errors = self._execute(command, f"{password}\n".encode(), SUDO_TIMEOUT_S)
        if code == NOT_ASKED:
            raise self._no_root("it wants a password for one command and none for another")
        if code != 0 and _MAY_NOT.search(errors):
            raise self._no_root(errors)
        return code == 0

    def _execute(self, argv: list[str], stdin: bytes, wait_s: float) -> tuple[int, str, str]:
        return self._talk(argv, wait_s, lambda channel: converse(channel, stdin))

    def _talk(self, argv: list[str], wait_s: float, talk: Callable[[Channel], Answer]) -> Answer:
        """Run a command, and whatever is said and heard over its channel."""
        if self._fabric is None:
            raise self._lost("it was never made")
        try:
            with self._fabric.transport.open_session(timeout=CONNECT_TIMEOUT_S) as channel:
                channel.settimeout(wait_s)
                channel.exec_command(shlex.join(argv))
                return talk(channel)
        except TimeoutError as error:
            raise QuartetError(
                self.name,
                f"a command gave no answer for {wait_s:.0f} s",
                f"see what hangs there: ./lab ssh {self.name}",
            ) from error
        except (SSHException, OSError, EOFError, AttributeError) as error:
            raise self._lost(reason(error)) from error

    def _lost(self, why: str) -> UnreachableError:
        target = f"{self._endpoint.user}@{self._endpoint.host}:{self._endpoint.port}"
        return UnreachableError(
            self.name,
            f"can't be reached at {target}: the connection was lost: {why}",
            IS_IT_RUNNING.format(name=self.name),
        )

    def _no_root(self, why: str) -> RunEndingError:
        return RunEndingError(
            self.name,
            f"{self._endpoint.user} can't become root with sudo: {why.strip()}",
            "let that user use sudo (`usermod -aG sudo USER`), or name another in `ssh: user:`",
        )

    def _busy(self) -> QuartetError:
        return QuartetError(
            self.name,
            f"another run has held {LOCK} for more than {LOCK_WAIT_S} s",
            f"see who is at work there: `./lab ssh {self.name} sudo fuser -v {LOCK}`",
        )
