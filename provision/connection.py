"""SSH to the machines, over Fabric; the only module that knows of it.

Host keys are checked against the lab's own known_hosts, strictly, from the first connection on.
"""

import shlex
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import fabric
from paramiko import Channel, PKey, RejectPolicy, SSHConfig, SSHException
from paramiko.ssh_exception import AuthenticationException, BadHostKeyException

from provision.errors import QuartetError
from provision.lab.base import Endpoint
from provision.resources import Fact, Snapshot
from provision.resources.facts import parse_answers, script_for

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
SILENCE_MS = 20_000
LOCK_WAIT_S = 600
LOCK = "/run/lock/quartet.lock"
LOCK_BUSY = 75
_AS_ROOT = ("sudo", "-n", "--")
_ONE_AT_A_TIME = ("flock", "-o", "-E", str(LOCK_BUSY), "-w", str(LOCK_WAIT_S), LOCK)
_LAST_LINES = 15


class UnreachableError(QuartetError):
    """A machine can't be reached, or the connection to it was lost."""

    ends_machine = True


class CommandFailedError(QuartetError):
    """A command ended with an exit status other than 0."""

    def __init__(self, where: str, script: str, exit_code: int, output: str) -> None:
        lines = "\n".join(output.strip().splitlines()[-_LAST_LINES:]) or "it printed nothing"
        super().__init__(
            where, f"{_title(script)} ended with status {exit_code}\n{lines}", _hint(output)
        )
        self.exit_code = exit_code
        self.output = output


def endpoints(ssh_config: Path, names: Iterable[str]) -> dict[str, Endpoint | QuartetError]:
    """How to reach these machines, as the lab's own ssh configuration says, or why that's not."""
    if not ssh_config.exists():
        raise QuartetError("the lab", "is not up: no machine has been booted", "./lab up")
    config = SSHConfig.from_path(str(ssh_config))
    return {name: _endpoint(name, config) for name in names}


def _endpoint(name: str, config: SSHConfig) -> Endpoint | QuartetError:
    entry = config.lookup(name)
    if "identityfile" not in entry:
        return UnreachableError(name, "has not been booted yet", f"./lab up --limit {name}")
    key = Path(entry["identityfile"][0])
    return Endpoint(entry["hostname"], int(entry["port"]), entry["user"], key)


class Connection:
    """One machine, reached as root through sudo; a resource's Host.

    Scripts run one at a time on a machine, also those that an earlier run, cut off since, left
    running: each takes a lock there, so what is read is never half written.
    """

    def __init__(self, name: str, endpoint: Endpoint, known_hosts: Path) -> None:
        self._name = name
        self._endpoint = endpoint
        self._known_hosts = known_hosts
        self._fabric = fabric.Connection(
            endpoint.host,
            user=endpoint.user,
            port=endpoint.port,
            connect_timeout=CONNECT_TIMEOUT_S,
            connect_kwargs={
                "allow_agent": False,
                "look_for_keys": False,
                "banner_timeout": CONNECT_TIMEOUT_S,
                "auth_timeout": CONNECT_TIMEOUT_S,
            },
            config=_FABRIC_CONFIG,
        )

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
        if self._fabric.is_connected:
            return
        # Fabric accepts any host key and loads no known_hosts of its own, so both are set here.
        client = self._fabric.client
        client.set_missing_host_key_policy(RejectPolicy())
        try:
            client.load_host_keys(str(self._known_hosts))
            self._fabric.connect_kwargs["pkey"] = self._load_key()
            self._fabric.open()
        except BadHostKeyException as error:
            raise self._unreachable(f"its host key is not the known one: {error}") from error
        except AuthenticationException as error:
            raise self._unreachable(f"login refused: {error}") from error
        except (SSHException, OSError, EOFError) as error:
            raise self._unreachable(_reason(error)) from error
        transport = client.get_transport()
        assert transport is not None  # noqa: S101 open() has just made it
        # Without this each command waits for Nagle's algorithm: 47 ms in place of 3.
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A machine that lost its power sends no farewell: its silence is noticed after this time.
        transport.set_keepalive(5)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)

    def close(self) -> None:
        """Hang up."""
        self._fabric.close()

    def read(self, facts: Iterable[Fact]) -> Snapshot:
        """Ask all questions in one round trip."""
        questions = tuple(facts)
        return parse_answers(questions, self.run(script_for(questions), timeout_s=READ_TIMEOUT_S))

    def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 60) -> str:
        """Run a root shell script and return what it printed on standard output.

        `timeout_s` bounds the wait for output, in seconds, beside the wait for the machine's lock.
        Raises CommandFailedError for any exit status but 0, and UnreachableError when the
        connection is lost.
        """
        command = [*_AS_ROOT, *_ONE_AT_A_TIME, "sh", "-c", script]
        code, output, errors = self._execute(command, stdin, timeout_s)
        if code == LOCK_BUSY:
            raise self._busy()
        if code != 0:
            raise CommandFailedError(self.name, script, code, f"{output}\n{errors}")
        return output

    def _execute(self, argv: list[str], stdin: bytes, timeout_s: float) -> tuple[int, str, str]:
        try:
            with self._fabric.transport.open_session(timeout=CONNECT_TIMEOUT_S) as channel:
                channel.settimeout(timeout_s + LOCK_WAIT_S)
                channel.exec_command(shlex.join(argv))
                return _converse(channel, stdin)
        except TimeoutError as error:
            raise QuartetError(
                self.name,
                f"a command gave no answer for {timeout_s + LOCK_WAIT_S:.0f} s",
                f"see what hangs there: ./lab ssh {self.name}",
            ) from error
        except (SSHException, OSError, EOFError, AttributeError) as error:
            raise self._unreachable(f"the connection was lost: {_reason(error)}") from error

    def _load_key(self) -> PKey:
        """The private key, whatever its type: key_filename reports a refusal as a wrong format."""
        try:
            return PKey.from_path(self._endpoint.key)
        except (OSError, ValueError, SSHException) as error:
            raise self._unreachable(f"the key {self._endpoint.key}: {error}") from error

    def _unreachable(self, why: str) -> UnreachableError:
        target = f"{self._endpoint.user}@{self._endpoint.host}:{self._endpoint.port}"
        return UnreachableError(
            self.name,
            f"can't be reached at {target}: {why}",
            f"is it running? `./lab status`, then `./lab up --limit {self.name}`",
        )

    def _busy(self) -> QuartetError:
        return QuartetError(
            self.name,
            f"another run has held {LOCK} for more than {LOCK_WAIT_S} s",
            f"see who is at work there: `./lab ssh {self.name} sudo fuser -v {LOCK}`",
        )


def _converse(channel: Channel, stdin: bytes) -> tuple[int, str, str]:
    """Feed and drain all three streams at once, so that no full buffer can block another."""
    errors: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(channel.recv_stderr, errors), daemon=True)
    writer = threading.Thread(target=_feed, args=(channel, stdin), daemon=True)
    reader.start()
    writer.start()
    output: list[bytes] = []
    while chunk := channel.recv(65536):
        output.append(chunk)
    reader.join()
    code = channel.recv_exit_status()
    if code < 0:
        raise EOFError("the command was cut off")
    return code, _text(output), _text(errors)


def _feed(channel: Channel, stdin: bytes) -> None:
    try:
        channel.sendall(stdin)
        channel.shutdown_write()
    except OSError:
        return  # the command ended without reading it all; its exit status tells why


def _drain(receive: Callable[[int], bytes], into: list[bytes]) -> None:
    try:
        while chunk := receive(65536):
            into.append(chunk)
    except OSError:
        return  # the reader of the other stream meets the same end, and reports it


def _text(chunks: list[bytes]) -> str:
    return b"".join(chunks).decode(errors="surrogateescape")


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _title(script: str) -> str:
    lines = [line for line in script.strip().splitlines() if not line.startswith(("set ", "umask"))]
    return f"`{lines[0][:100]}{' …' if len(lines) > 1 else ''}`" if lines else "a command"


def _hint(output: str) -> str:
    for sign, hint in _HINTS.items():
        if sign in output:
            return hint
    return "mend what it says and run `./lab provision` again; it goes on where this run stopped"


_DISK_FULL = (
    "the disk is full: free some space there (`df -h`, `sudo apt-get clean`), and run"
    " `./lab provision` again"
)
_HINTS = {
    "No space left on device": _DISK_FULL,
    "You don't have enough free space": _DISK_FULL,
    "Unable to locate package": "the package's name is wrong, or the machine's release has no such"
    " package: see application.packages in topology.yml",
    "a password is required": "the login user needs sudo without a password",
}
_FABRIC_CONFIG = fabric.Config(overrides={"load_ssh_configs": False})
