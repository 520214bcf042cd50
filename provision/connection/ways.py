"""The stream of bytes to a host, where it isn't TCP from here: over another host, or a program."""

import re
import socket
import subprocess
import threading

import fabric
from paramiko import Channel, SSHException

from provision.lab.base import Endpoint

CONNECT_TIMEOUT_S = 10


def way_to(endpoint: Endpoint, gateway: fabric.Connection | None) -> Channel | socket.socket | None:
    """Open the stream, or return None where TCP from here is meant; `gateway` is in between.

    Raises SSHException or OSError where that fails.
    """
    if gateway is not None:
        if gateway.transport is None:
            raise SSHException(f"the connection to {gateway.host} was lost")
        # Without a limit of our own, a host that is off takes as long as TCP over there likes.
        there, from_here = (endpoint.host, endpoint.port), ("", 0)
        channel: Channel = gateway.transport.open_channel(
            "direct-tcpip", there, from_here, timeout=CONNECT_TIMEOUT_S
        )
        return channel
    return _program(_expanded(endpoint)) if endpoint.proxy_command else None


def _program(command: str) -> socket.socket:
    """Start a program whose standard input and output are the stream, as ssh does.

    Paramiko's ProxyCommand knows no shell, and doesn't notice that the program has ended.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        program = subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    threading.Thread(target=program.wait, name="proxy command", daemon=True).start()
    return ours


def _expanded(endpoint: Endpoint) -> str:
    """The proxy command with the tokens of ssh_config(5); ssh_settings has put in %n already."""
    tokens = {"h": endpoint.host, "p": str(endpoint.port), "r": endpoint.user, "%": "%"}
    return re.sub("%([hpr%])", lambda match: tokens[match[1]], endpoint.proxy_command)
