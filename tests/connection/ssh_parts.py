"""Keys and files that tests of SSH connections are made of."""

import socket
import sys
import threading
from collections.abc import Collection
from io import StringIO
from pathlib import Path

import paramiko

from provision.lab.base import Endpoint
from provision.lab.keys import new_key_pair
from provision.polling import is_reached
from tests.ssh_server import SshServer


def new_key() -> paramiko.Ed25519Key:
    return paramiko.Ed25519Key.from_private_key(StringIO(new_key_pair("a test").private))


KNOWN, OTHER = new_key(), new_key()
# Made as text, since paramiko can't write keys of this kind.
MY_TEXT, STRANGE_TEXT = new_key_pair("mine").private, new_key_pair("not let in").private
MINE = paramiko.Ed25519Key.from_private_key(StringIO(MY_TEXT))
DEADLINE_S = 10
RELAY = """
import os, select, socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as far:
    while True:
        for ready in select.select([0, far], [], [])[0]:
            data = os.read(0, 65536) if ready == 0 else far.recv(65536)
            if not data:
                sys.exit()
            far.sendall(data) if ready == 0 else os.write(1, data)
"""


def write_key(path: Path, text: str = MY_TEXT) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def write_known_hosts(path: Path, servers: Collection[SshServer]) -> Path:
    """Write a known_hosts that has the servers' own keys."""
    lines = [f"[127.0.0.1]:{each.port} {line_of(each.host_key)}\n" for each in servers]
    path.write_text("".join(lines))
    return path


def line_of(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def endpoint_of(server: SshServer, key: Path, **changes: object) -> Endpoint:
    facts: dict[str, object] = {"port": server.port, "user": "quartet", "keys": (key,), **changes}
    return Endpoint("127.0.0.1", **facts)  # type: ignore[arg-type]


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def threads_named(word: str) -> set[threading.Thread]:
    return {each for each in threading.enumerate() if word in each.name}


def silent(*servers: SshServer) -> bool:
    """Whether nobody is connected to these servers any more, after a while at most."""
    return is_reached(lambda: not any(each.is_talking for each in servers), within_s=DEADLINE_S)


def relay_command(folder: Path) -> str:
    """Write a program that leads its input and output to a host and port, and say how to run it."""
    program = folder / "relay.py"
    program.write_text(RELAY)
    return f"{sys.executable} {program}"
