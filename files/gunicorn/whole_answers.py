"""A threaded worker of gunicorn whose short answers leave whole.

gunicorn sends an answer's head and its body apart. Whoever is killed in between leaves Nginx with a
head that promises a body, an answer that no balancer can ask another machine for any more. PEP 3333
wants it otherwise, too: the head is to wait for the first part of the body.
"""

import socket
from typing import Any, cast

from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker


class Whole:
    """A connection that keeps an answer's head back until there is more to send."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._head = b""
        self._is_begun = False

    def sendall(self, data: bytes) -> None:
        """Keep the first data, which is the head; send it together with the next."""
        if self._is_begun:
            head, self._head = self._head, b""
            self._connection.sendall(head + data if head else data)
        else:
            self._head, self._is_begun = data, True

    def flush(self) -> None:
        """Send a head that no body followed."""
        if self._head:
            self.sendall(b"")

    def __getattr__(self, name: str) -> Any:
        # Whatever else is done with the connection (sending a file, closing) comes after the head.
        self.flush()
        return getattr(self._connection, name)


class Worker(ThreadWorker):
    """gunicorn's `gthread`, with whole answers."""

    def handle_request(self, req: Request, conn: TConn) -> bool:
        """Answer a request as `gthread` does."""
        connection = conn.sock
        whole = Whole(connection)
        conn.sock = cast("socket.socket", whole)
        try:
            return super().handle_request(req, conn)
        finally:
            conn.sock = connection
            whole.flush()
