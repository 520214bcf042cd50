"""The agent's HTTP interface, for the load balancers' health checks and for its peers."""

import json
import socket
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dbagent.watch import Watch

QUESTION_S = 5
END = b"\r\n\r\n"
LONGEST_QUESTION_B = 8192
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


def respond(api: Api, request: bytes) -> bytes:
    """The whole answer to a whole request.

    Written out, since http.server takes several times as long, and there are dozens of checks a
    second: https://www.rfc-editor.org/rfc/rfc9112.
    """
    words = request.split(b"\r\n", maxsplit=1)[0].split()
    if len(words) != len(("GET", "/path", "HTTP/1.1")) or words[0] != b"GET":
        status, body = HTTPStatus.BAD_REQUEST, {"error": "ask with GET"}
    else:
        status, body = api.answer(words[1].decode(errors="replace"))
    content = json.dumps(body).encode() + b"\n"
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return head.encode() + content


def serve(watch: Watch) -> None:
    """Answer for ever, on the socket that systemd holds; see sd_listen_fds(3)."""
    api = Api(watch)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(QUESTION_S)
            request = b""
            while END not in request and len(request) < LONGEST_QUESTION_B:
                chunk = self.request.recv(LONGEST_QUESTION_B)
                if not chunk:
                    return
                request += chunk
            self.request.sendall(respond(api, request))

    listener = socket.socket(fileno=FIRST_PASSED)
    server = Server(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


class Server(ThreadingMixIn, TCPServer):
    """Answers at once; who is slow to ask is waited for by a thread of its own.

    An answer waits for nothing, so it needs no thread, and many questions at once on a busy machine
    don't become as many threads. Who hangs up before the answer is not worth a word.
    """

    daemon_threads = True

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take one question."""
        if _has_asked(request):
            self.process_request_thread(request, client_address)
        else:
            super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what is wrong here, not that a client is gone."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _has_asked(client: socket.socket) -> bool:
    """Whether the whole question is there already."""
    try:
        seen = client.recv(LONGEST_QUESTION_B, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return False
    return END in seen
