"""Who listens, as ss tells it, here for real and from samples of its output."""

import shutil
import socket

import pytest

from provision.listeners import LISTENERS, Listener, listeners_of
from provision.resources import Snapshot
from provision.resources.facts import parse_answers
from tests.local_host import LocalHost

SAMPLE = """
--quartet-fact listeners
LISTEN 0 511  192.168.56.11:80   0.0.0.0:* users:(("nginx",pid=8,fd=6),("nginx",pid=7,fd=6))
LISTEN 0 4096 127.0.0.53%lo:53   0.0.0.0:* users:(("systemd-resolve",pid=3,fd=1))
LISTEN 0 256  192.168.56.10:53   0.0.0.0:* users:(("nsd: server 1",pid=9,fd=4))
LISTEN 0 151  *:3306             *:*       users:(("mysqld",pid=5,fd=2))
LISTEN 0 128  [::]:22            [::]:*
"""


def test_address_port_and_program_are_read() -> None:
    assert listeners_of(parse_answers([LISTENERS], SAMPLE)) == (
        Listener("192.168.56.11", 80, "nginx"),
        Listener("127.0.0.53", 53, "systemd-resolve"),
        Listener("192.168.56.10", 53, "nsd: server 1"),
        Listener("*", 3306, "mysqld"),
        Listener("[::]", 22, ""),
    )


@pytest.mark.parametrize("output", ["", "ss: not what it was\n"])
def test_machine_that_can_not_tell_has_no_listeners(output: str) -> None:
    answers = parse_answers([LISTENERS], f"\n--quartet-fact listeners\n{output}")
    assert [each for each in listeners_of(answers) if each.port] == []
    assert listeners_of(Snapshot({})) == ()


@pytest.mark.skipif(not shutil.which("ss"), reason="ss (iproute2) is not on this host")
def test_socket_of_this_host_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = listeners_of(LocalHost().read([LISTENERS]))
    assert [each.address for each in found if each.port == port] == ["127.0.0.1"]
