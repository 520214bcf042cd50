"""Connect and log in to one host, with its key checked before anything of ours is sent."""

import socket
from pathlib import Path
from typing import NoReturn

import fabric
from paramiko import MissingHostKeyPolicy, PKey, ProxyCommand, SSHException
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    PasswordRequiredException,
)

from provision.connection.failures import HostKeyError, UnreachableError, reason
from provision.lab.base import Endpoint

CONNECT_TIMEOUT_S = 10
SILENCE_MS = 20_000


class _StrictPolicy(MissingHostKeyPolicy):
    """Refuses a host that known_hosts doesn't have, as an error of its own kind."""

    def missing_host_key(self, client: object, hostname: str, key: PKey) -> NoReturn:
        raise _UnknownHostError(f"{key.get_name()} {key.fingerprint}")


class _UnknownHostError(SSHException):
    """The host shows this key, and known_hosts has none for it."""


def dial(
    name: str, endpoint: Endpoint, known_hosts: Path, gateway: fabric.Connection | None
) -> fabric.Connection:
    """Return an open connection; `gateway` is one to the host in between.

    Raises HostKeyError for an unknown or changed key, and UnreachableError for all else.
    """
    connection = _prepared(endpoint, gateway)
    # Fabric accepts any host key and loads no known_hosts of its own, so both are set here.
    connection.client.set_missing_host_key_policy(_StrictPolicy())
    try:
        connection.client.load_host_keys(str(known_hosts))
        connection.connect_kwargs["pkey"] = _load_key(endpoint)
        connection.open()
    except (SSHException, OSError, EOFError) as error:
        connection.close()
        raise _translated(name, endpoint, error) from error
    _tune(connection)
    return connection


def _prepared(endpoint: Endpoint, gateway: fabric.Connection | None) -> fabric.Connection:
    command = _expanded(endpoint)
    return fabric.Connection(
        endpoint.host,
        user=endpoint.user,
        port=endpoint.port,
        gateway=gateway,
        connect_timeout=CONNECT_TIMEOUT_S,
        connect_kwargs={
            "allow_agent": endpoint.agent,
            "look_for_keys": False,
            "banner_timeout": CONNECT_TIMEOUT_S,
            "auth_timeout": CONNECT_TIMEOUT_S,
            **({"sock": ProxyCommand(command)} if command else {}),
        },
        config=_FABRIC_CONFIG,
    )


def _expanded(endpoint: Endpoint) -> str:
    """The proxy command with the tokens of ssh_config(5) that it may use."""
    tokens = {"%h": endpoint.host, "%p": str(endpoint.port), "%r": endpoint.user, "%%": "%"}
    command = endpoint.proxy_command
    for token, value in tokens.items():
        command = command.replace(token, value)
    return command


def _load_key(endpoint: Endpoint) -> PKey | None:
    """The private key, whatever its type: key_filename reports a refusal as a wrong format.

    One with a passphrase is left to the agent, which has it unlocked.
    """
    if endpoint.key is None:
        return None
    try:
        return PKey.from_path(endpoint.key)
    except PasswordRequiredException as error:
        if endpoint.agent:
            return None
        raise SSHException(f"the key {endpoint.key} has a passphrase") from error
    except (OSError, ValueError, SSHException) as error:
        raise SSHException(f"the key {endpoint.key}: {error}") from error


def _tune(connection: fabric.Connection) -> None:
    transport = connection.transport
    # A machine that lost its power sends no farewell: its silence is noticed after this time.
    transport.set_keepalive(5)
    if not isinstance(transport.sock, socket.socket):
        return
    # Without this each command waits for Nagle's algorithm: 47 ms in place of 3.
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)


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
        case AuthenticationException():
            return _unreachable(name, target, f"login refused: {error}{_locked(endpoint)}")
    return _unreachable(name, target, reason(error))


def _locked(endpoint: Endpoint) -> str:
    key = endpoint.key
    return f" (is the key unlocked? ssh-add {key})" if key and endpoint.agent else ""


def _unreachable(name: str, target: str, why: str) -> UnreachableError:
    return UnreachableError(
        name,
        f"can't be reached at {target}: {why}",
        f"is it running? `./lab status`, then `./lab up --limit {name}`",
    )


_FABRIC_CONFIG = fabric.Config(overrides={"load_ssh_configs": False})
