"""Which signals end a drill early."""

import signal
from collections.abc import Iterator

import pytest

from provision.drill.ending import SIGNALS, signals_interrupt
from tests.signals import usual_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    with usual_signals():
        yield


@pytest.mark.parametrize("first", SIGNALS)
def test_first_signal_interrupts_and_no_other(first: signal.Signals) -> None:
    with signals_interrupt():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(first)
        for each in SIGNALS:
            signal.raise_signal(each)


def test_hangup_stays_ignored_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals_interrupt():
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
