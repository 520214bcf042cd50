"""How the checks end early: as by Ctrl-C, and never in the middle of putting things right.

Whoever closes a terminal or ends a service sends SIGHUP or SIGTERM, and may well send both.
"""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def tidy_up_when_ended() -> None:
    """Take the first of these signals for Ctrl-C and ignore the next; nohup's stays ignored."""
    for each in SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, _end)


def _end(*_: object) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
