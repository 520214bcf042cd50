"""The three streams of a command on another machine, served at once."""

import threading
from collections.abc import Callable

from paramiko import Channel


def converse(channel: Channel, stdin: bytes) -> tuple[int, str, str]:
    """Feed and drain all three streams at once, so that no full buffer can block another.

    Returns the exit status and both outputs; raises EOFError where there is no status.
    """
    errors: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(channel.recv_stderr, errors), daemon=True)
    writer = threading.Thread(target=_feed, args=(channel, stdin), daemon=True)
    reader.start()
    writer.start()
    output: list[bytes] = []
    while chunk := channel.recv(65536):
        output.append(chunk)
    reader.join()
    code = channel.recv_exit_status()
    if code < 0:
        raise EOFError("the command was cut off")
    return code, _text(output), _text(errors)


def _feed(channel: Channel, stdin: bytes) -> None:
    try:
        channel.sendall(stdin)
        channel.shutdown_write()
    except OSError:
        return  # the command ended without reading it all; its exit status tells why


def _drain(receive: Callable[[int], bytes], into: list[bytes]) -> None:
    try:
        while chunk := receive(65536):
            into.append(chunk)
    except OSError:
        return  # the reader of the other stream meets the same end, and reports it


def _text(chunks: list[bytes]) -> str:
    return b"".join(chunks).decode(errors="surrogateescape")
