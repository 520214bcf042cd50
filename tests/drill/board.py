"""A board that takes messages, in memory."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Board(BaseHTTPRequestHandler):
    """Takes messages; hangs up without a word on every third."""

    texts: list[str] = []  # noqa: RUF012 one board a test

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.texts.append(body["text"])
        if len(self.texts) % 3 == 0:
            return
        self.send_response(201)
        self.end_headers()
        self.wfile.write(json.dumps({"id": len(self.texts)}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def board_at_work() -> Iterator[str]:
    """The address of an empty board."""
    Board.texts = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Board) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
