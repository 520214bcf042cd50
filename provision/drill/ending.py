"""How a drill ends early: as by Ctrl-C, so that the machines are put right."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Take the first of these signals for Ctrl-C and no notice of the next; nohup's stays ignored.

    They are not ignored as such: programs that are started would inherit that.
    """
    before = {each: signal.getsignal(each) for each in SIGNALS}
    heeded = [each for each in SIGNALS if before[each] is not signal.SIG_IGN]
    for each in heeded:
        signal.signal(each, _interrupt)
    try:
        yield
    finally:
        for each in heeded:
            signal.signal(each, before[each])


def _interrupt(*_: object) -> None:
    for each in SIGNALS:
        if signal.getsignal(each) is _interrupt:
            signal.signal(each, _take_no_notice)
    raise KeyboardInterrupt


def _take_no_notice(number: int, frame: FrameType | None) -> None:
    pass
