"""The three streams of a command on another machine, served at once."""

import threading
from collections.abc import Callable, Iterable

from paramiko import Channel


def converse(channel: Channel, stdin: bytes) -> tuple[int, str, str]:
    """Feed and drain all three streams at once, so that no full buffer can block another.

    Returns the exit status and both outputs; raises EOFError where there is no status.
    """
    output: list[bytes] = []
    code, errors = exchange(channel, [stdin], output.append)
    return code, _text(output), errors


def exchange(
    channel: Channel, stdin: Iterable[bytes], take: Callable[[bytes], object]
) -> tuple[int, str]:
    """The same for what is too much to be held: `take` gets the output as it comes.

    Returns the exit status and what was said on standard error.
    """
    errors: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(channel.recv_stderr, errors), daemon=True)
    writer = threading.Thread(target=_feed, args=(channel, stdin), daemon=True)
    reader.start()
    writer.start()
    while chunk := channel.recv(65536):
        take(chunk)
    reader.join()
    code = channel.recv_exit_status()
    if code < 0:
        raise EOFError("the command was cut off")
    return code, _text(errors)


def _feed(channel: Channel, stdin: Iterable[bytes]) -> None:
    try:
        for chunk in stdin:
            channel.sendall(chunk)
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
