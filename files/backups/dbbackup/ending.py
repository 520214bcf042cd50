"""How a command ends early: once, and never in the middle of tidying up.

A caller that dies shows in more than one way: what is printed can't be written, whoever waits for
that to happen sends SIGTERM, and sudo or a terminal may send SIGHUP. The first of them ends the
command; were the next to end what tidies up after it, half of that would stay.
"""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def listen(*, to_hangups: bool) -> None:
    """End on SIGTERM from now on, and on SIGHUP if so wished; it is ignored if not."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end if to_hangups else signal.SIG_IGN)


def tidy_undisturbed() -> None:
    """Ignore these signals from now on: what is left to do is to tidy up."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def _end(*_: object) -> None:
    tidy_undisturbed()
    raise SystemExit(1)
