"""Scripts with more input or output than is held in memory."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.connection import Access, CommandFailedError, Connection, SudoPassword
from provision.errors import QuartetError
from tests.connection.ssh_parts import endpoint_of, write_known_hosts
from tests.ssh_server import SshServer

PASSWORD = "correct horse 'battery' $HOME \\"
PIECES = 200
PIECE = bytes(range(256)) * 256


def pieces() -> Iterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


def test_output_comes_piece_by_piece_and_as_it_is(host: Connection) -> None:
    found: list[int] = []
    host.stream("head -c 5000000 /dev/zero", lambda piece: found.append(len(piece)))
    assert sum(found) == 5_000_000
    assert len(found) > 10


def test_input_is_sent_piece_by_piece(host: Connection, tmp_path: Path) -> None:
    path = tmp_path / "sent"
    host.stream(f"cat > {path}", lambda _: None, stdin=pieces())
    assert path.read_bytes() == PIECE * PIECES


def test_script_that_fails_is_told_with_its_words(host: Connection) -> None:
    with pytest.raises(CommandFailedError, match="no such dump"):
        host.stream("echo no such dump >&2; exit 3", lambda _: None)


def test_what_the_reader_raises_ends_it(host: Connection) -> None:
    def refuse(_: bytes) -> None:
        raise QuartetError("here", "the disk is full")

    with pytest.raises(QuartetError, match="the disk is full"):
        host.stream("yes", refuse)
    assert host.run("echo still here") == "still here\n"


def test_nobody_waits_for_it_nor_it_for_others(host: Connection) -> None:
    began, done = threading.Event(), threading.Event()

    def take(_: bytes) -> None:
        began.set()
        done.wait(10)

    other = threading.Thread(target=lambda: host.stream("echo; sleep 0.1", take))
    other.start()
    assert began.wait(10)
    assert host.run("echo meanwhile") == "meanwhile\n"
    done.set()
    other.join()


@pytest.mark.skipif(not shutil.which("flock"), reason="flock (util-linux) is not on this host")
def test_password_for_sudo_comes_first_and_is_no_input_of_the_script(
    server: SshServer, key: Path, tmp_path: Path
) -> None:
    server.want_password(PASSWORD)
    known_hosts = write_known_hosts(tmp_path / "known_hosts", [server])
    access = Access(known_hosts, SudoPassword(lambda _: PASSWORD))
    found: list[bytes] = []
    with Connection("web-01", endpoint_of(server, key), access) as host:
        host.stream("cat", found.append, stdin=[b"a", b"b\n"])
    assert b"".join(found) == b"ab\n"
