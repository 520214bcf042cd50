"""Checks that are ended from outside: the first signal is Ctrl-C, and no other disturbs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.ending import SIGNALS, tidy_up_when_ended
from tests.checks.shapes import SINGLE, write_shape
from tests.signals import usual_signals
from tests.site_parts import ROOT


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    with usual_signals():
        yield


@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.parametrize("first", SIGNALS)
def test_first_signal_interrupts_and_the_second_does_not(
    first: signal.Signals, second: signal.Signals
) -> None:
    tidy_up_when_ended()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(first)
    signal.raise_signal(second)


def test_hangup_stays_ignored_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    tidy_up_when_ended()
    signal.raise_signal(signal.SIGHUP)


def test_checks_end_as_by_ctrl_c(tmp_path: Path) -> None:
    topology = write_shape(tmp_path, SINGLE)
    (tmp_path / "secrets.json").write_text('{"ca_certificate": ""}')
    (tmp_path / "ender.py").write_text(
        "import signal\ndef pytest_collection_finish():\n    signal.raise_signal(signal.SIGTERM)\n"
    )
    command = [sys.executable, "-m", "pytest", "checks", "--collect-only", "-p", "ender"]
    command += ["-p", "no:cacheprovider", "--topology", str(topology), "--lab-dir", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == pytest.ExitCode.INTERRUPTED
