"""One SSH connection to each machine, opened at once and shared by all of its commands."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from checks.tidying import do_all

CONNECT_TIMEOUT_S = 10
GIVE_UP_S = 40
# A master that was left behind ends by itself, though not during checks that leave it alone for
# long: what is forwarded over it would end as well.
PERSIST_S = 600
# An sshd in between drops connections where ten at once are not logged in yet (MaxStartups).
AT_ONCE = 8
FORWARD_TRIES = 5
FORWARD_FAILED = "open failed: "
# Said by the outer ssh when the one to the host in between failed, which knows the reason.
ECHOES = ("UNKNOWN port", "kex_exchange_identification")


class NoWayError(OSError):
    """There is no SSH connection to lead a port through."""


@dataclass
class Masters:
    """OpenSSH control masters, whose sockets are in a folder of their own.

    The folder is not in the lab's: a socket's path may have about 100 characters and no more.
    """

    config: Path
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="quartet-")))
    unreachable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._forwards: dict[tuple[str, str, int], int] = {}
        self._read: dict[str, int] = {}

    def open(self, names: Iterable[str]) -> None:
        """Connect to all at once; `unreachable` says which did not answer, and why."""
        names = list(names)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(self._open, names)
        self.unreachable = {
            name: why for name, why in zip(names, answers, strict=True) if why is not None
        }

    def run(self, name: str, command: str, stdin: Any = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command of the machine's own shell over its connection.

        `stdin` is bytes, or a view of some: subprocess keeps it, and a view shows no secret.
        """
        return subprocess.run(
            [*self._command(name), "-o", "BatchMode=yes", name, command],
            input=stdin,
            capture_output=True,
            check=False,
        )

    def forward(self, name: str, address: str, port: int) -> int:
        """Return the port on the loopback here that leads to a port as the machine reaches it."""
        with self._lock:
            known = self._forwards.get((name, address, port))
            if known is None:
                known = self._forwards[name, address, port] = self._forward(name, address, port)
            return known

    def complaint(self, name: str) -> str:
        """Say why a forwarded connection failed since this was last asked, or nothing."""
        with self._lock:
            text = self._log(name).read_text() if self._log(name).exists() else ""
            begin, self._read[name] = self._read.get(name, 0), len(text)
        lines = [line for line in text[begin:].splitlines() if FORWARD_FAILED in line]
        return lines[-1].partition(FORWARD_FAILED)[2].strip() if lines else ""

    def socket(self, name: str) -> Path:
        """Return where this machine's connection is shared."""
        return self.folder / name

    def close(self) -> None:
        """End all connections and leave nothing behind."""
        names = [each.name for each in self.folder.glob("*") if each.is_socket()]
        try:
            do_all(partial(self._control, "exit", name) for name in names)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self, name: str) -> str | None:
        options = [
            "-fNM",
            # What is said later, of forwarded connections too: once in the background, ssh has
            # no stderr any more.
            *("-E", str(self._log(name))),
            *("-o", "LogLevel=INFO"),
            *("-o", f"ControlPersist={PERSIST_S}"),
            *("-o", f"ConnectTimeout={CONNECT_TIMEOUT_S}"),
            *("-o", "BatchMode=yes"),
            # A machine that dies in the middle is noticed within 15 s.
            *("-o", "ServerAliveInterval=5"),
        ]
        # Into a file, since the master keeps its stderr open and a pipe would never end; to append,
        # as -E does.
        with self._log(name).open("a") as stderr:
            try:
                status = self._ssh(name, *options, stderr=stderr.fileno())
            except subprocess.TimeoutExpired:
                return f"no SSH connection within {GIVE_UP_S} s"
        return None if status == 0 else self._why_closed(name, status)

    def _why_closed(self, name: str, status: int) -> str:
        said = _telling(self._log(name).read_text()) or _telling(self._said_without_master(name))
        return said[-1] if said else f"ssh ended with status {status}"

    def _said_without_master(self, name: str) -> str:
        """Try once more for the words of a host in between: a lasting master's ssh hides them."""
        options = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_TIMEOUT_S}")
        with suppress(subprocess.TimeoutExpired):
            return subprocess.run(
                ["ssh", "-F", str(self.config), *options, name, "true"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=GIVE_UP_S,
                check=False,
            ).stderr
        return ""

    def _forward(self, name: str, address: str, port: int) -> int:
        if name in self.unreachable:
            raise NoWayError(f"no SSH connection to {name}: {self.unreachable[name]}")
        for _ in range(FORWARD_TRIES):
            # Somebody else may take the port in between; then another one is tried.
            local = free_port()
            if self._control("forward", name, "-L", f"127.0.0.1:{local}:{address}:{port}") == 0:
                return local
        raise NoWayError(f"ssh does not forward to port {port} of {name}; is the connection lost?")

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _control(self, what: str, name: str, *options: str) -> int:
        return self._ssh(name, "-O", what, *options)

    def _command(self, name: str) -> list[str]:
        return ["ssh", "-F", str(self.config), "-o", f"ControlPath={self.socket(name)}"]

    def _ssh(self, name: str, *options: str, stderr: int = subprocess.DEVNULL) -> int:
        return subprocess.run(
            [*self._command(name), *options, name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            timeout=GIVE_UP_S,
            check=False,
        ).returncode


def _telling(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [line for line in lines if not any(echo in line for echo in ECHOES)]


def free_port() -> int:
    """Return a port on the loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
