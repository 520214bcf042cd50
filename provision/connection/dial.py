"""Connect and log in to one host, with its key checked before anything of ours is sent."""

import logging
import socket
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import fabric
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko import Channel, MissingHostKeyPolicy, PKey, SSHException
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    PasswordRequiredException,
)

from provision.connection.failures import (
    IS_IT_RUNNING,
    HostKeyError,
    UnreachableError,
    reason,
)
from provision.connection.ways import CONNECT_TIMEOUT_S, way_to
from provision.lab.base import Endpoint

SILENCE_MS = 20_000
# Paramiko's words where there is no key to show: none that can be read, and no agent with one.
_NO_KEY = "No authentication methods available"

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
    try:
        connection.client.load_host_keys(str(known_hosts))
        key = connection.connect_kwargs["pkey"] = _load_key(endpoint)
        if endpoint.key is not None and key is None:
            connection.connect_kwargs["allow_agent"] = True
            endpoint = replace(endpoint, agent=True)
        if way := way_to(endpoint, gateway):
            connection.connect_kwargs["sock"] = way
        connection.open()
    except (SSHException, OSError, EOFError) as error:
        # Fabric's own close() leaves a connection alone whose login failed.
        connection.client.close()
        if way:
            way.close()
        raise _translated(name, endpoint, error) from error
    _tune(connection)
    return connection


def _prepared(endpoint: Endpoint, connect_s: float) -> fabric.Connection:
    return fabric.Connection(
        endpoint.host,
        user=endpoint.user,
        port=endpoint.port,
        connect_timeout=connect_s,
        connect_kwargs={
            "allow_agent": endpoint.agent,
            # As ssh does where several keys are there and none is named.
            "look_for_keys": endpoint.agent and endpoint.key is None,
            "banner_timeout": CONNECT_TIMEOUT_S,
            "auth_timeout": CONNECT_TIMEOUT_S,
        },
        # Its own: fabric writes into it, and for that moment it is empty for everybody else.
        config=_FABRIC_CONFIG.clone(),
    )


def _load_key(endpoint: Endpoint) -> PKey | None:
    """The private key, whatever its type: key_filename reports a refusal as a wrong format.

    One with a passphrase, or on a security key, is left to the agent, which can use it.
    """
    if endpoint.key is None:
        return None
    try:
        return PKey.from_path(endpoint.key)
    # Cryptography's own words for a missing passphrase, and for a kind of key it doesn't know.
    except (PasswordRequiredException, TypeError, UnsupportedAlgorithm, UnknownKeyType):
        return None
    except (OSError, ValueError, SSHException) as error:
        raise SSHException(f"the key {endpoint.key}: {error}") from error


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


def _translated(name: str, endpoint: Endpoint, error: Exception) -> UnreachableError:
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
            return _unreachable(name, target, f"login refused: {error}{_locked(endpoint)}")
    return _unreachable(name, target, reason(error))


def _is_refusal(error: SSHException) -> bool:
    return isinstance(error, AuthenticationException) or str(error) == _NO_KEY


def _locked(endpoint: Endpoint) -> str:
    key = endpoint.key
    return f" (has it a passphrase? ssh-add {key})" if key and endpoint.agent else ""


def _unreachable(name: str, target: str, why: str) -> UnreachableError:
    return UnreachableError(
        name,
        f"can't be reached at {target}: {why}",
        IS_IT_RUNNING.format(name=name),
    )


_FABRIC_CONFIG = fabric.Config(overrides={"load_ssh_configs": False})
