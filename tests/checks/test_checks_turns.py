"""Who served, counted over SSH on a stand-in for HAProxy that has other visitors too."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path

import pytest

from checks.lab import Lab
from checks.secret_values import SecretValues
from checks.turns import undisturbed
from provision.topology import load
from tests.checks.shapes import SINGLE, write_shape


@dataclass
class _Balancer:
    """Serves in turn by two names; `visitors` says how many others come with each request."""

    received: int = 0
    visitors: Iterator[int] = field(default_factory=lambda: iter(()))
    stalls: Iterator[bool] = field(default_factory=lambda: iter(()))
    redispatched: int = 0

    def __post_init__(self) -> None:
        self._names = cycle(["web-01", "web-02"])

    def serve(self) -> str:
        for _ in range(next(self.visitors, 0)):
            self.received += 1
            next(self._names)
        self.received += 1
        if next(self.stalls, False):
            self.redispatched += 1
            next(self._names)
        return next(self._names)

    def statistics(self) -> str:
        front = f"http,FRONTEND,{self.received},,"
        return f"# pxname,svname,req_tot,wredis\n{front}\nweb,web-01,,{self.redispatched}\n"


@pytest.fixture
def balancer() -> _Balancer:
    return _Balancer()


@pytest.fixture
def lab(balancer: _Balancer, config: Path, tmp_path: Path) -> Iterator[Lab]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_visit = self.path == "/healthz"
            self.send_response(200)
            self.send_header("X-Served-By", balancer.serve() if is_visit else "")
            self.end_headers()
            self.wfile.write(b"" if is_visit else balancer.statistics().encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    http, statistics = (server.server_port for server in servers)
    shape = SINGLE.replace("web: 8080", f"web: 8080, http: {http}, haproxy_stats: {statistics}")
    lab = Lab(load(write_shape(tmp_path, shape)), config.parent, SecretValues({}, ""))
    lab.connect()
    yield lab
    lab.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_turns_are_told_where_nobody_else_comes(lab: Lab) -> None:
    door = lab.front_door()

    assert undisturbed(lab, lambda: door.turns(4)) == ["web-01", "web-02", "web-01", "web-02"]


def test_turns_are_counted_again_where_a_visitor_came_in_between(
    lab: Lab, balancer: _Balancer
) -> None:
    door = lab.front_door()
    balancer.visitors = iter([0, 1])

    served = undisturbed(lab, lambda: door.turns(4))

    assert sorted(served) == ["web-01", "web-01", "web-02", "web-02"]
    assert balancer.received == 9


def test_turns_are_counted_again_where_a_request_made_a_detour(
    lab: Lab, balancer: _Balancer
) -> None:
    balancer.stalls = iter([False, True])
    door = lab.front_door()

    served = undisturbed(lab, lambda: door.turns(4))

    assert sorted(served) == ["web-01", "web-01", "web-02", "web-02"]
    assert balancer.received == 8


def test_turns_are_told_as_they_are_where_detours_never_end(lab: Lab, balancer: _Balancer) -> None:
    balancer.stalls = cycle([True])
    door = lab.front_door()

    assert len(set(undisturbed(lab, lambda: door.turns(4)))) == 1


def test_turns_are_not_told_where_visitors_never_pause(lab: Lab, balancer: _Balancer) -> None:
    door = lab.front_door()
    balancer.visitors = cycle([1])

    with pytest.raises(pytest.skip.Exception, match="visitors sent 4 requests in between"):
        undisturbed(lab, lambda: door.turns(4))


def test_machine_without_root_counts_as_unreachable(lab: Lab, tmp_path: Path) -> None:
    sudo = tmp_path / "programs" / "sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2; exit 1\n")

    lab.connect()
    lab.read()

    why = "sudo asks for a password, and none was given"
    assert lab.masters.unreachable == {"web-01": why}
    assert lab.states == {"web-01": "can't be asked"}
    assert lab.facts == {}
