"""The tests' SSH server, which forwards TCP as well, as `ssh -L` asks for it."""

import contextlib
import socket
import threading

import paramiko
from paramiko.common import (
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)

from tests.ssh_server import SshServer, _Session


class _ForwardingSession(_Session):
    def __init__(self, server: "ForwardingServer") -> None:
        super().__init__(server)
        self.forwards: dict[int, socket.socket] = {}
        self._forbids = server.forbids_forwarding

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if self._forbids:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            self.forwards[chanid] = socket.create_connection(destination, 5)
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        return OPEN_SUCCEEDED


class ForwardingServer(SshServer):
    """An SshServer that leads connections on; all of them, or none."""

    forbids_forwarding = False

    def _greet(self, transport: paramiko.Transport) -> None:
        session = _ForwardingSession(self)
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=session)
        while transport.is_active():
            channel = transport.accept(1)
            far = session.forwards.get(channel.chanid) if channel else None
            if channel and far:
                for way in ((channel, far), (far, channel)):
                    threading.Thread(target=_pump, args=way, daemon=True).start()


def _pump(
    source: "paramiko.Channel | socket.socket", sink: "paramiko.Channel | socket.socket"
) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    sink.close()
