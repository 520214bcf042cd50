"""The host's time for machines whose network has no way out: a server for simple NTP, RFC 4330.

An installed one would take the place of the host's own.
"""

import socket
import struct
import sys
import time

PORT = 123
UNIX_EPOCH = 2_208_988_800  # in NTP's seconds, which begin in 1900
REQUEST_BYTES = 48
SERVER, VERSION = 4, 4


def clock() -> list[str]:
    """The program that serves, to be run inside the machines' network."""
    return [sys.executable, "-m", "tests.vagrant.clock"]


def serve() -> None:
    """Answer whoever asks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", PORT))  # noqa: S104 the network is the machines' own
        while True:
            request, client = server.recvfrom(REQUEST_BYTES)
            if len(request) == REQUEST_BYTES:
                server.sendto(answer(request, time.time()), client)


def answer(request: bytes, now: float) -> bytes:
    """Answer one request: the client's own time comes back beside ours."""
    sent_by_client = request[40:48]
    first = VERSION << 3 | SERVER
    head = struct.pack("!BBbbII4s", first, 1, 6, -20, 0, 0, b"LOCL")
    return head + timestamp(now) + sent_by_client + timestamp(now) * 2


def timestamp(now: float) -> bytes:
    """Seconds since 1900 as a fixed-point number of 32 and 32 bits."""
    seconds = int(now)
    return struct.pack("!II", seconds + UNIX_EPOCH, int((now - seconds) * (1 << 32)))


if __name__ == "__main__":
    serve()
