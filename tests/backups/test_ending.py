"""The backup programs end once, and tidy up to the end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[2] / "files" / "backups"
ENDED_BY_SIGNAL = """
from dbbackup import ending
ending.listen(to_hangups=True)
try:
    print("at work", flush=True)
    input()
finally:
    print("tidying up", flush=True)
    input()
    print("tidied up", flush=True)
"""
ENDED_BY_ERROR = """
from dbbackup import ending
ending.listen(to_hangups=True)
try:
    raise BrokenPipeError
finally:
    ending.tidy_undisturbed()
    print("tidying up", flush=True)
    input()
    print("tidied up", flush=True)
"""


class Program:
    """A program that waits for a line on its standard input, now and then."""

    def __init__(self, text: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(PROGRAMS)}
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", text]
        self._running = subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def says(self) -> str:
        assert self._running.stdout
        return self._running.stdout.readline().strip()

    def send(self, number: signal.Signals) -> None:
        self._running.send_signal(number)

    def end(self) -> tuple[str, int]:
        """Let it go on to its end: what it says, and its exit status."""
        said, _ = self._running.communicate("\n", timeout=20)
        return said.strip(), self._running.returncode


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP])
def test_second_signal_does_not_interrupt_tidying_up(
    first: signal.Signals, second: signal.Signals
) -> None:
    program = Program(ENDED_BY_SIGNAL)
    assert program.says() == "at work"
    program.send(first)
    assert program.says() == "tidying up"
    program.send(second)
    assert program.end() == ("tidied up", 1)


def test_signal_does_not_interrupt_tidying_up_after_an_error() -> None:
    program = Program(ENDED_BY_ERROR)
    assert program.says() == "tidying up"
    program.send(signal.SIGTERM)
    assert program.end() == ("tidied up", 1)
