"""gunicorn with the worker of files/gunicorn: what leaves when, and that nothing else changes."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from whole_answers import Whole, Worker

from provision.polling import is_reached

ANSWERS_WITHIN_S = 10.0
APPLICATION = """
import io

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/broken":
        raise RuntimeError("broken")
    if path == "/nothing":
        start_response("204 No Content", [])
        return []
    if path == "/file":
        start_response("200 OK", [("Content-Length", "5")])
        return environ["wsgi.file_wrapper"](open(__file__.replace("shown.py", "five"), "rb"))
    if path == "/parts":
        start_response("200 OK", [])
        return iter([b"one,", b"two"])
    body = b"x" * 1_000_000 if path == "/large" else b"small"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


class Site(http.client.HTTPConnection):
    """A connection to gunicorn over its Unix socket, as Nginx has it."""

    def __init__(self, path: Path) -> None:
        super().__init__("site", timeout=ANSWERS_WITHIN_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWERS_WITHIN_S)
        self.sock.connect(str(self._path))

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        self.request(method, path)
        answer = self.getresponse()
        return answer.status, answer.read()


@contextmanager
def _gunicorn(folder: Path) -> Iterator[Path]:
    (folder / "shown.py").write_text(APPLICATION)
    (folder / "five").write_bytes(b"bytes")
    door = folder / "door"
    command = [
        *(sys.executable, "-m", "gunicorn", "--bind", f"unix:{door}", "--chdir", str(folder)),
        *("--pythonpath", str(Path("files/gunicorn").resolve()), "--threads", "2"),
        *("--worker-class", f"{Worker.__module__}.{Worker.__name__}", "shown:application"),
    ]
    with subprocess.Popen(command, env=os.environ | {"HOME": str(folder)}) as server:
        try:
            assert is_reached(lambda: _is_open(door), within_s=ANSWERS_WITHIN_S)
            yield door
        finally:
            server.send_signal(signal.SIGTERM)


def _is_open(door: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(door)) == 0


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with _gunicorn(tmp_path_factory.mktemp("site")) as door:
        yield door


def test_answers_are_what_gunicorn_gives_over_one_kept_connection(door: Path) -> None:
    with closing(Site(door)) as site:
        assert site.ask("/") == (200, b"small")
        assert site.ask("/", "HEAD") == (200, b"")
        assert site.ask("/nothing") == (204, b"")
        assert site.ask("/file") == (200, b"bytes")
        assert site.ask("/parts") == (200, b"one,two")
        assert site.ask("/large") == (200, b"x" * 1_000_000)
        connection = site.sock
        assert site.ask("/") == (200, b"small")
        assert site.sock is connection


def test_failing_application_is_answered_for_as_before(door: Path) -> None:
    with closing(Site(door)) as site:
        assert site.ask("/broken")[0] == 500


def _ends() -> tuple[Whole, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    return Whole(ours), theirs


def test_head_leaves_with_the_first_part_of_the_body_and_the_rest_at_once() -> None:
    whole, theirs = _ends()
    whole.sendall(b"head ")
    with pytest.raises(BlockingIOError):
        theirs.recv(100)
    whole.sendall(b"body")
    assert theirs.recv(100) == b"head body"
    whole.sendall(b" more")
    assert theirs.recv(100) == b" more"


def test_head_without_a_body_leaves_in_the_end() -> None:
    whole, theirs = _ends()
    whole.sendall(b"head")
    whole.flush()
    whole.flush()
    assert theirs.recv(100) == b"head"


def test_head_leaves_before_anything_else_is_done_with_the_connection(tmp_path: Path) -> None:
    whole, theirs = _ends()
    (tmp_path / "file").write_bytes(b"file")
    whole.sendall(b"head ")
    with (tmp_path / "file").open("rb") as file:
        os.sendfile(whole.fileno(), file.fileno(), 0, 4)
    assert theirs.recv(100) == b"head file"
