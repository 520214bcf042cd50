"""The host key that a machine shows, before anybody trusts it; nothing else is asked or sent."""

import base64
import hashlib
import socket
from contextlib import closing
from dataclasses import dataclass

import fabric
from paramiko import Channel, SSHException, Transport

from provision.connection.failures import UnreachableError, reason
from provision.connection.ways import CONNECT_TIMEOUT_S, way_to
from provision.lab.base import Endpoint


@dataclass(frozen=True)
class HostKey:
    """A public key, as known_hosts has it: its type and its text in base64."""

    kind: str
    text: str

    @property
    def line(self) -> str:
        """As it stands in known_hosts, after the names."""
        return f"{self.kind} {self.text}"

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it."""
        digest = hashlib.sha256(base64.b64decode(self.text)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def offered_key(name: str, endpoint: Endpoint, gateway: fabric.Connection | None = None) -> HostKey:
    """Ask a host for its key, over the host in between if there is one.

    Raises UnreachableError where none is to be had.
    """
    try:
        here = (endpoint.host, endpoint.port)
        way = way_to(endpoint, gateway) or socket.create_connection(here, CONNECT_TIMEOUT_S)
        # A transport whose greeting failed doesn't close what it talked over.
        with closing(way):
            return _asked(way)
    except (SSHException, OSError, EOFError) as error:
        target = f"{endpoint.host}:{endpoint.port}"
        raise UnreachableError(
            name, f"no host key is to be had at {target}: {reason(error)}", "is sshd there?"
        ) from error


def _asked(way: Channel | socket.socket) -> HostKey:
    transport = Transport(way)
    try:
        transport.start_client(timeout=CONNECT_TIMEOUT_S)
        key = transport.get_remote_server_key()
        return HostKey(key.get_name(), key.get_base64())
    finally:
        transport.close()
