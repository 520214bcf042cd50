"""A machine for the checks to talk to: a real SSH server on this host's loopback."""

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import paramiko
import pytest

from checks.ssh import Masters
from provision.lab.keys import new_key_pair
from tests.checks.forwarding_server import ForwardingServer
from tests.local_host import write_program

NAME = "web-01"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForwardingServer]:
    """Lets `quartet` in with the key that lies in `key`; `id -u` says 1000 there."""
    pair = new_key_pair("a test")
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(pair.private)
    host_key = paramiko.Ed25519Key.from_private_key(StringIO(new_key_pair("host").private))
    client_key = paramiko.Ed25519Key.from_private_key(StringIO(pair.private))
    server = ForwardingServer(
        client_key=client_key, host_key=host_key, programs=tmp_path / "programs"
    )
    write_program(server.programs, "id", "echo 1000")
    yield server
    server.stop()


@pytest.fixture
def config(server: ForwardingServer, tmp_path: Path) -> Path:
    """The ssh configuration for it."""
    known = tmp_path / "known_hosts"
    text = f"{server.host_key.get_name()} {server.host_key.get_base64()}"
    known.write_text(f"[127.0.0.1]:{server.port} {text}\n")
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host {NAME}\n HostName 127.0.0.1\n Port {server.port}\n User quartet\n"
        f' IdentityFile "{tmp_path / "key"}"\n IdentitiesOnly yes\n'
        f' StrictHostKeyChecking yes\n UserKnownHostsFile "{known}"\n LogLevel ERROR\n'
    )
    return config


@pytest.fixture
def masters(config: Path) -> Iterator[Masters]:
    """The connection to it, open."""
    masters = Masters(config)
    masters.open([NAME])
    assert masters.unreachable == {}
    yield masters
    masters.close()


@pytest.fixture
def sudo(server: ForwardingServer) -> Callable[[str], None]:
    """Put a script in place of the server's sudo."""

    def replace(script: str) -> None:
        write_program(server.programs, "sudo", script)

    return replace
