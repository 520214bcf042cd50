"""Connect and log in to one host, with its key checked before anything of ours is sent."""

import logging
import shlex
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import fabric
from paramiko import Channel, MissingHostKeyPolicy, PKey, SSHException
from paramiko.ssh_exception import AuthenticationException, BadHostKeyException

from provision.connection.failures import (
    IS_IT_RUNNING,
    HostKeyError,
    UnreachableError,
    reason,
)
from provision.connection.identities import NO_KEY, identities_for
from provision.connection.ways import CONNECT_TIMEOUT_S, way_to
from provision.lab.base import Endpoint

SILENCE_MS = 20_000

# What goes wrong is raised as well; without a handler its tracebacks would go to the terminal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _StrictPolicy(MissingHostKeyPolicy):
    """Refuses a host that known_hosts doesn't have, as an error of its own kind."""

    def missing_host_key(self, client: object, hostname: str, key: PKey) -> NoReturn:
        raise _UnknownHostError(f"{key.get_name()} {key.fingerprint}")


class _UnknownHostError(SSHException):
    """The host shows this key, and known_hosts has none for it."""


def dial(
    name: str,
    endpoint: Endpoint,
    known_hosts: Path,
    gateway: fabric.Connection | None,
    connect_s: float = CONNECT_TIMEOUT_S,
) -> fabric.Connection:
    """Return an open connection; `gateway` is one to the host in between.

    `connect_s` bounds the wait for a host that may be off, in seconds.

    Raises HostKeyError for an unknown or changed key, and UnreachableError for all else.
    """
    connection = _prepared(endpoint, connect_s)
    # Fabric accepts any host key and loads no known_hosts of its own, so both are set here.
    connection.client.set_missing_host_key_policy(_StrictPolicy())
    way: Channel | socket.socket | None = None
    locked: Sequence[Path] = ()
    try:
        connection.client.load_host_keys(str(known_hosts))
        identities = identities_for(endpoint)
        locked = identities.locked
        connection.connect_kwargs["auth_strategy"] = identities
        if way := way_to(endpoint, gateway):
            connection.connect_kwargs["sock"] = way
        connection.open()
    except (SSHException, OSError, EOFError) as error:
        # Fabric's own close() leaves a connection alone whose login failed.
        connection.client.close()
        if way:
            way.close()
        raise _translated(name, endpoint, error, locked) from error
    _tune(connection)
    return connection


def _prepared(endpoint: Endpoint, connect_s: float) -> fabric.Connection:
    return fabric.Connection(
        endpoint.host,
        user=endpoint.user,
        port=endpoint.port,
        connect_timeout=connect_s,
        connect_kwargs={
            "banner_timeout": CONNECT_TIMEOUT_S,
            "auth_timeout": CONNECT_TIMEOUT_S,
        },
        # Its own: fabric writes into it, and for that moment it is empty for everybody else.
        config=_FABRIC_CONFIG.clone(),
    )


def _tune(connection: fabric.Connection) -> None:
    transport = connection.transport
    # A machine that lost its power sends no farewell: its silence is noticed after this time.
    transport.set_keepalive(5)
    sock = transport.sock
    if not isinstance(sock, socket.socket) or sock.family == socket.AF_UNIX:
        return
    # Without this each command waits for Nagle's algorithm: 47 ms in place of 3.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)


def _translated(
    name: str, endpoint: Endpoint, error: Exception, locked: Sequence[Path]
) -> UnreachableError:
    target = f"{endpoint.user}@{endpoint.host}:{endpoint.port}"
    match error:
        case _UnknownHostError():
            return HostKeyError(
                name,
                f"its host key is not known yet, so nothing was sent to {target}; it shows {error}",
                "see and confirm the keys of all: ./lab trust",
            )
        case BadHostKeyException():
            shown, known = error.key.fingerprint, error.expected_key.fingerprint
            return HostKeyError(
                name,
                f"its host key has changed, so nothing was sent to {target}: known is {known}, and"
                f" it shows {shown}. Either the machine was made anew, or somebody is in between",
                "compare it on the machine's own console (ssh-keygen -lf"
                " /etc/ssh/ssh_host_ed25519_key.pub); if it is right: ./lab trust",
            )
        case SSHException() if _is_refusal(error):
            return _unreachable(name, target, f"login refused: {error}{_unlocking(locked)}")
    return _unreachable(name, target, reason(error))


def _is_refusal(error: SSHException) -> bool:
    return isinstance(error, AuthenticationException) or str(error) == NO_KEY


def _unlocking(locked: Sequence[Path]) -> str:
    return f" (has it a passphrase? ssh-add {shlex.join(map(str, locked))})" if locked else ""


def _unreachable(name: str, target: str, why: str) -> UnreachableError:
    return UnreachableError(
        name,
        f"can't be reached at {target}: {why}",
        IS_IT_RUNNING.format(name=name),
    )


_FABRIC_CONFIG = fabric.Config(overrides={"load_ssh_configs": False})
