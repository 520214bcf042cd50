"""An SSH server on this machine's loopback: the protocol is real, the machine behind it is not.

It lets in one key, and runs commands as `sh` here, with a `sudo` that needs no rights. It leads
connections on to other ports, as a jump host does.
"""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)

from tests.local_host import write_program

SUDO = '[ "$1 $2" = "-n --" ] || exit 64\nshift 2\nexec "$@"'
# As sudo 1.9 does it with -k -S -p '': a line is read byte by byte, and at its end nothing more.
PASSWORD_SUDO = r"""
if [ "$1 $2" = "-n --" ]; then echo 'sudo: a password is required' >&2; exit 1; fi
[ "$1|$2|$3|$4|$5" = '-k|-S|-p||--' ] || exit 64
shift 5
tried=0
while [ $tried -lt 3 ] && IFS= read -r line; do
    tried=$((tried + 1))
    printf '%s\n' "$line" >> {attempts}
    [ "$line" = {password} ] && exec "$@"
    echo 'Sorry, try again.' >&2
done
echo "sudo: $tried incorrect password attempts" >&2
exit 1
"""
HANG_UP = "pull the plug"
NO_STATUS = "die of a signal"


class _Session(paramiko.ServerInterface):
    def __init__(self, server: "SshServer") -> None:
        self._server = server
        self.led_on: dict[int, socket.socket] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._server.offers.append(key)
        good = username in self._server.users and key == self._server.client_key
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self._server.destinations.append(destination)
        try:
            self.led_on[chanid] = socket.create_connection(destination, 5)
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(
            target=self._server.execute, args=(channel, command.decode()), daemon=True
        ).start()
        return True


@dataclass
class SshServer:
    """Listens until `stop`; `commands` are those that it was asked to run.

    `destinations` are those that it was asked to lead on to, `logins` the connections so far, and
    `offers` the keys with which somebody tried to log in.
    """

    client_key: paramiko.PKey
    host_key: paramiko.PKey
    programs: Path
    commands: list[str] = field(default_factory=list)
    users: Collection[str] = ("quartet",)
    destinations: list[tuple[str, int]] = field(default_factory=list)
    offers: list[paramiko.PKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        write_program(self.programs, "sudo", SUDO)
        self._transports: list[paramiko.Transport] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()

    def want_password(self, password: str) -> None:
        """From now on sudo wants this password."""
        script = PASSWORD_SUDO.replace("{attempts}", shlex.quote(str(self._attempts)))
        write_program(self.programs, "sudo", script.replace("{password}", shlex.quote(password)))

    @property
    def attempts(self) -> list[str]:
        """What sudo was given as a password, each time."""
        return self._attempts.read_text().splitlines() if self._attempts.exists() else []

    @property
    def _attempts(self) -> Path:
        return self.programs / "attempts"

    @property
    def logins(self) -> int:
        """How often somebody has connected."""
        return len(self._transports)

    @property
    def is_talking(self) -> bool:
        """Whether somebody is still connected."""
        return any(transport.is_active() for transport in self._transports)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        """Hang up on everybody, and end what still runs."""
        self._socket.close()
        self.hang_up()
        for child in self._children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        for transport in self._transports:
            transport.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.host_key)
            self._transports.append(transport)
            threading.Thread(target=self._greet, args=(transport,), daemon=True).start()

    def _greet(self, transport: paramiko.Transport) -> None:
        session = _Session(self)
        try:
            transport.start_server(server=session)
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()  # the client did not like our host key
        while transport.is_active():
            channel = transport.accept(0.2)
            if channel and (far := session.led_on.pop(channel.chanid, None)):
                for way in ((channel, far), (far, channel)):
                    threading.Thread(target=_lead, args=way, daemon=True).start()

    def execute(self, channel: paramiko.Channel, command: str) -> None:
        self.commands.append(command)
        if HANG_UP in command:
            self.hang_up()
            return
        child = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PATH": f"{self.programs}:{os.environ['PATH']}"},
            start_new_session=True,
        )
        self._children.append(child)
        assert child.stdin
        assert child.stdout
        assert child.stderr
        out, err = child.stdout.fileno(), child.stderr.fileno()
        pumps = [
            threading.Thread(target=_pump, args=(out, channel.sendall), daemon=True),
            threading.Thread(target=_pump, args=(err, channel.sendall_stderr), daemon=True),
        ]
        for pump in pumps:
            pump.start()
        _feed(channel, child)
        for pump in pumps:
            pump.join()
        status = child.wait()
        if NO_STATUS not in command and status >= 0:
            channel.send_exit_status(status)
        channel.close()


def _lead(source: paramiko.Channel | socket.socket, sink: paramiko.Channel | socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        return  # one of both sides hung up
    finally:
        # A socket that is merely closed stays open for who waits for it in another thread.
        for each in (source, sink):
            with contextlib.suppress(OSError, EOFError):
                if isinstance(each, socket.socket):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()


def _pump(source: int, send: Callable[[bytes], None]) -> None:
    try:
        while chunk := os.read(source, 65536):
            send(chunk)
    except OSError:
        return  # the other side hung up


def _feed(channel: paramiko.Channel, child: subprocess.Popen[bytes]) -> None:
    """Hand input on to its end, even if the command doesn't want it all."""
    assert child.stdin
    wanted = True
    while chunk := channel.recv(65536):
        try:
            if wanted:
                child.stdin.write(chunk)
                child.stdin.flush()
        except OSError:
            wanted = False
    try:
        child.stdin.close()
    except OSError:
        return
