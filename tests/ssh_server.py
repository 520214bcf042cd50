"""An SSH server on this machine's loopback: the protocol is real, the machine behind it is not.

It lets in one key, and runs commands as `sh` here, with a `sudo` that needs no rights.
"""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from tests.local_host import write_program

SUDO = '[ "$1 $2" = "-n --" ] || exit 64\nshift 2\nexec "$@"'
HANG_UP = "pull the plug"
NO_STATUS = "die of a signal"


class _Session(paramiko.ServerInterface):
    def __init__(self, server: "SshServer") -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == "quartet" and key == self._server.client_key
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(
            target=self._server.execute, args=(channel, command.decode()), daemon=True
        ).start()
        return True


@dataclass
class SshServer:
    """Listens until `stop`; `commands` are those that it was asked to run."""

    client_key: paramiko.PKey
    host_key: paramiko.PKey
    programs: Path
    commands: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        write_program(self.programs, "sudo", SUDO)
        self._transports: list[paramiko.Transport] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()

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
        try:
            transport.start_server(server=_Session(self))
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()  # the client did not like our host key

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
