"""The person at the keyboard, who runs the project's tasks as anybody does: as processes."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from provision.errors import QuartetError

INV = Path(sys.executable).with_name("inv")
ROOT = Path(__file__).parents[2]
LONGEST_S = 600
AFTER_CTRL_C_S = 30


@dataclass(frozen=True)
class Done:
    """A command that has ended; `began` and `ended` are monotonic."""

    command: str
    code: int
    output: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


class Running:
    """A command that was started; out of reach of the Ctrl-C that is meant for the drill."""

    def __init__(self, words: list[str], about: list[str]) -> None:
        self.began = time.monotonic()
        self.command = " ".join(words)
        self._process = subprocess.Popen(
            [INV, *words, *about],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait(self, timeout_s: float = LONGEST_S) -> Done:
        """Wait for its end; QuartetError after `timeout_s`."""
        try:
            output, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise QuartetError(self.command, f"has not ended after {timeout_s:.0f} s") from error
        except KeyboardInterrupt:
            self.kill(after_s=AFTER_CTRL_C_S)
            raise
        return Done(
            self.command, self._process.returncode, output.strip(), self.began, time.monotonic()
        )

    def kill(self, after_s: float = 0) -> bool:
        """Kill -9 it with all its children, after some seconds; whether it was still running."""
        try:
            self._process.wait(after_s)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            return True
        return False


@dataclass(frozen=True)
class Operator:
    """Runs tasks about one system; `about` are the options that name it.

    `done` remembers what was run to its end, for the report.
    """

    about: list[str]
    done: list[Done] = field(default_factory=list)

    def start(self, *words: str) -> Running:
        """Start a task and go on."""
        return Running(list(words), self.about)

    def run(self, *words: str) -> Done:
        """Run a task to its end, whatever that is."""
        self.done.append(self.start(*words).wait())
        return self.done[-1]
