"""Commands as root on a machine, over its shared connection: with sudo, unless that is who logs in.

A password for sudo goes over standard input, and nowhere else: not onto a command line, not into
the environment, not into what is printed of an object.
"""

import os
import shlex
from dataclasses import dataclass, field

from testinfra.backend.base import CommandResult
from testinfra.backend.ssh import SshBackend
from testinfra.host import Host

from checks.ssh import Masters

SSH_FAILED = 255
NOT_FOUND = 127
REFUSALS = ("incorrect password", "try again", "no password was provided")
ASKS = "a password is required"


class NoRootError(Exception):
    """Who logs in can't run commands as root."""


@dataclass(frozen=True)
class SudoPassword:
    """What sudo asks for on the machines."""

    _value: str = field(repr=False)

    @classmethod
    def from_descriptor(cls, descriptor: int) -> "SudoPassword":
        """Read the one line that is there and close it; raises OSError or ValueError."""
        with os.fdopen(descriptor, encoding="utf-8") as source:
            value = source.readline().rstrip("\n")
        if not value:
            raise ValueError("there is no password to read")
        return cls(value)

    @property
    def line(self) -> memoryview:
        """What sudo reads; a view, which shows nothing where it is printed."""
        return memoryview(f"{self._value}\n".encode())


@dataclass(frozen=True)
class Elevation:
    """How one becomes root on a machine."""

    sudo: tuple[str, ...] = ()
    stdin: memoryview = field(default=memoryview(b""), repr=False)

    @classmethod
    def by_sudo(cls, password: SudoPassword | None) -> "Elevation":
        """With sudo: -k, so that it always asks and one answer counts for one command alone."""
        if password is None:
            return cls(("sudo", "-n", "--"))
        return cls(("sudo", "-k", "-S", "-p", "", "--"), password.line)

    def wrap(self, command: str) -> str:
        """Return what to run instead; the command itself never finds the password on its stdin."""
        return shlex.join([*self.sudo, "/bin/sh", "-c", f"exec </dev/null; {command}"])


def elevation(masters: Masters, name: str, password: SudoPassword | None) -> Elevation:
    """Find out how to become root on a machine, by doing it; raises NoRootError."""
    by_sudo = Elevation.by_sudo(password)
    # sudo speaks English to this, whatever is spoken there.
    script = f'[ "$(id -u)" = 0 ] && exit; LC_ALL=C; export LC_ALL; {by_sudo.wrap("echo sudo")}'
    done = masters.run(name, shlex.join(["/bin/sh", "-c", script]), by_sudo.stdin)
    if done.returncode == 0:
        return by_sudo if done.stdout.endswith(b"sudo\n") else Elevation()
    raise NoRootError(_refusal(done.returncode, done.stderr.decode(errors="replace")))


def _refusal(status: int, said: str) -> str:
    if any(words in said for words in REFUSALS):
        return "sudo refused the password"
    if ASKS in said:
        return "sudo asks for a password, and none was given"
    if status == NOT_FOUND:
        return "there is no sudo, and who logs in is not root"
    lines = said.strip().splitlines()
    return lines[-1] if lines else f"ssh or sudo ended with status {status}"


class RootBackend(SshBackend):  # type: ignore[misc]
    """Testinfra's way to a machine, over the connection that is open already."""

    def __init__(self, name: str, masters: Masters, elevation: Elevation) -> None:
        super().__init__(name, sudo=True)
        self._masters = masters
        self._elevation = elevation

    def get_sudo_command(self, command: str, sudo_user: str | None) -> str:
        """Wrap each command; always as root."""
        return self._elevation.wrap(command)

    def run_ssh(self, command: str) -> CommandResult:
        """Run it; raises RuntimeError where the connection is lost."""
        done = self._masters.run(self.hostname, command, self._elevation.stdin)
        if done.returncode == SSH_FAILED:
            said = done.stderr.decode(errors="replace").strip()
            raise RuntimeError(said or "the SSH connection was lost")
        return self.result(done.returncode, self.encode(command), done.stdout, done.stderr)


def root_host(name: str, masters: Masters, elevation: Elevation) -> Host:
    """Return the machine as Testinfra sees it."""
    return Host(RootBackend(name, masters, elevation))
