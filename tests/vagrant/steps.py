"""Steps of a run: each with a time-out, a log of its own, and a line in the closing table."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from provision.lab.command import tail

STOP_S = 20.0
LOG_LINES = 25


class StepFailedError(Exception):
    """A step did not do what it should; what failed is in the table."""


@dataclass(frozen=True)
class Step:
    """What the table says of a step that has ended."""

    name: str
    seconds: float
    result: str


@dataclass
class Steps:
    """Steps in the order in which they ended."""

    logs: Path
    done: list[Step] = field(default_factory=list)

    @property
    def has_failed(self) -> bool:
        """Whether one did."""
        return any(step.result != "ok" for step in self.done)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside; an exception is its result, and goes on upwards."""
        print(f"== {name}", flush=True)
        began = time.monotonic()
        result = "ok"
        try:
            yield
        except BaseException as error:
            result = str(error) or type(error).__name__
            raise
        finally:
            self.done.append(Step(name, time.monotonic() - began, result))

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        within_s: float,
        cwd: Path,
        env: Mapping[str, str],
        expects: Callable[[str], bool] = lambda output: True,
    ) -> str:
        """Run a program as a step and return what it said; StepFailedError unless all is well."""
        with self.step(name):
            log = self.logs / f"{len(self.done):02}.log"
            code = _run(argv, log, within_s, cwd, env)
            output = log.read_text(errors="replace")
            wrong = _wrong(code, within_s) or ("" if expects(output) else "not what was expected")
            if wrong:
                print(tail(output, LOG_LINES), flush=True)
                raise StepFailedError(wrong)
            return output

    def print_table(self) -> None:
        """Show all steps with their times and results."""
        table = Table("step", "seconds", "result")
        for step in self.done:
            table.add_row(step.name, f"{step.seconds:.0f}", step.result)
        table.add_row("all of it", f"{sum(step.seconds for step in self.done):.0f}", "")
        Console(width=100).print(table)


def _run(
    argv: Sequence[str], log: Path, within_s: float, cwd: Path, env: Mapping[str, str]
) -> int | None:
    """Return the exit status; None where time was up and the program with its children ended."""
    with log.open("w") as out:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program and its children to end, as Ctrl-C would, then make them."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue


def _wrong(code: int | None, within_s: float) -> str:
    if code is None:
        return f"not done after {within_s:.0f} s"
    return f"ended with {code}" if code else ""
