"""Host keys: a machine that isn't the one that was confirmed gets to know nothing."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from provision.connection import (
    Connection,
    HostKey,
    HostKeyError,
    UnreachableError,
    offered_key,
)
from provision.polling import is_reached
from tests.connection.ssh_parts import (
    DEADLINE_S,
    KNOWN,
    OTHER,
    closed_port,
    endpoint_of,
    line_of,
    relay_command,
    silent,
    threads_named,
)
from tests.ssh_server import SshServer

Connect = Callable[..., Connection]


@pytest.mark.parametrize(
    ("known", "reason", "next_step"),
    [
        (None, "its host key is not known yet", "./lab trust"),
        (OTHER, "its host key has changed", "if it is right: ./lab trust"),
    ],
    ids=["unknown", "changed"],
)
def test_machine_with_another_key_is_refused_and_told_nothing(
    known: paramiko.PKey | None, reason: str, next_step: str, connect: Connect, server: SshServer
) -> None:
    host = connect(known)
    with pytest.raises(HostKeyError, match=reason) as caught:
        host.open()
    assert KNOWN.fingerprint in caught.value.what
    assert "nothing was sent" in caught.value.what
    assert next_step in caught.value.next_step
    assert server.commands == []
    assert silent(server)


def test_changed_key_is_shown_beside_the_one_that_was_known(connect: Connect) -> None:
    with pytest.raises(HostKeyError) as caught:
        connect(OTHER).open()
    assert f"known is {OTHER.fingerprint}" in caught.value.what
    assert f"it shows {KNOWN.fingerprint}" in caught.value.what


def test_offered_key_is_the_servers_own_and_nobody_logs_in(server: SshServer, key: Path) -> None:
    offered = offered_key("web-01", endpoint_of(server, key))
    assert offered.line == line_of(KNOWN)
    assert silent(server)
    assert server.commands == []


def test_fingerprint_is_the_one_that_ssh_keygen_shows(tmp_path: Path) -> None:
    public = tmp_path / "key.pub"
    public.write_text(line_of(KNOWN) + "\n")
    argv = ["ssh-keygen", "-lf", str(public)]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[1]
    assert HostKey(KNOWN.get_name(), KNOWN.get_base64()).fingerprint == shown == KNOWN.fingerprint


def test_host_that_is_off_offers_no_key(server: SshServer, key: Path) -> None:
    port = closed_port()
    with pytest.raises(UnreachableError, match=f"no host key is to be had at 127.0.0.1:{port}"):
        offered_key("web-01", endpoint_of(server, key, port=port))


@pytest.fixture
def web_server() -> Iterator[tuple[int, threading.Event]]:
    """Answers in another language, then waits until it is hung up on, which is told."""
    hung_up = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ConnectionError):
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 200)
            while connection.recv(1024):
                pass
        hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1]), hung_up


def test_program_that_speaks_no_ssh_is_told_and_hung_up_on(
    web_server: tuple[int, threading.Event], server: SshServer, key: Path
) -> None:
    port, hung_up = web_server
    with pytest.raises(UnreachableError, match="no host key is to be had"):
        offered_key("web-01", endpoint_of(server, key, port=port))
    assert hung_up.wait(5)


def test_key_is_asked_for_through_the_users_own_program(
    server: SshServer, key: Path, tmp_path: Path
) -> None:
    command = f"{relay_command(tmp_path)} 127.0.0.1 {server.port}"
    endpoint = endpoint_of(server, key, port=1, proxy_command=command)
    assert offered_key("web-01", endpoint).line == line_of(KNOWN)
    assert is_reached(lambda: not threads_named("proxy command"), within_s=DEADLINE_S)
