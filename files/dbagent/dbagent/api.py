"""The agent's HTTP interface, for the load balancers' health checks and for its peers."""

import json
import socket
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dbagent.watch import Watch

QUESTION_S = 5
FIRST_PASSED = 3


class Api:
    """What each path answers: 200 or 503 for a load balancer, and JSON for whoever reads it."""

    def __init__(self, watch: Watch) -> None:
        monitor = watch.monitor
        self._watch = watch
        self._checks: Mapping[str, Callable[[], bool]] = {
            "/primary": lambda: monitor.is_primary,
            "/replica": lambda: monitor.is_usable_replica,
            "/alive": lambda: monitor.server.answers,
        }

    def answer(self, target: str) -> tuple[HTTPStatus, dict[str, Any]]:
        """The status and the body for one request."""
        url = urlsplit(target)
        if url.path == "/status":
            asking = parse_qs(url.query).get("from", [""])[0]
            return HTTPStatus.OK, self._watch.status(asking)
        if url.path not in self._checks:
            known = [*self._checks, "/status"]
            return HTTPStatus.NOT_FOUND, {"error": f"ask for one of {', '.join(known)}"}
        holds = self._checks[url.path]()
        status = HTTPStatus.OK if holds else HTTPStatus.SERVICE_UNAVAILABLE
        return status, self._watch.brief()


def serve(watch: Watch) -> None:
    """Answer for ever, on the socket that systemd holds; see sd_listen_fds(3)."""
    api = Api(watch)

    class Handler(BaseHTTPRequestHandler):
        timeout = QUESTION_S

        def do_GET(self) -> None:
            status, body = api.answer(self.path)
            content = json.dumps(body).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class's name
            """Say nothing: there are many health checks a second."""

    listener = socket.socket(fileno=FIRST_PASSED)
    server = Server(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


class Server(ThreadingHTTPServer):
    """One thread a question; who hangs up before the answer is not worth a word."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what is wrong here, not that a client is gone."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
