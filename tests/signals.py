"""SIGTERM and SIGHUP as a program finds them that nobody has started with `nohup`."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def usual_signals() -> Iterator[None]:
    """Let them do what they do by default, and afterwards what they did before."""
    usual = signal.SIG_DFL
    before = {each: signal.signal(each, usual) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
