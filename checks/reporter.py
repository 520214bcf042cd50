"""A pytest plugin that ends with a table for people; without -v it replaces pytest's own output."""

import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import pytest
from rich.console import Console

from checks import summary
from checks.results import Result, machine_of, result_of, sentence_of

CHECKS = Path(__file__).parent


class Reporter:
    """Collects what became of each check and shows it at the end."""

    def __init__(self, config: pytest.Config, machines: Sequence[str]) -> None:
        self._machines = machines
        self.is_quiet = is_quiet(config)
        self.results: list[Result] = []
        self.left_out = 0
        self._console = Console(file=_real_stdout(), soft_wrap=False)
        self._status = self._console.status("connecting to the machines")
        self._began = time.monotonic()
        if self.is_quiet:
            self._silence(config)

    def pytest_sessionstart(self) -> None:
        if self.is_quiet and self._console.is_terminal:
            self._status.start()

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.left_out += sum(1 for item in items if item.get_closest_marker("disruptive"))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if not self.is_quiet:
            return
        said = f"{machine_of(item)}: {sentence_of(item)}"
        self._status.update(said)
        # These take seconds each; where no status line can move, say at least what is going on.
        if item.get_closest_marker("disruptive") and not self._console.is_terminal:
            self._console.print(f"… {said}", highlight=False, markup=False, soft_wrap=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        result = result_of(item, call, report)
        if result is not None:
            self.results.append(result)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and self.is_quiet:
            self._console.print(report.longreprtext, highlight=False, markup=False)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self._status.stop()
        if session.config.option.collectonly:
            return
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            self._console.print("[red]Interrupted.[/] What was checked until then:")
        seconds = time.monotonic() - self._began
        summary.show(
            self._console,
            self.results,
            self._machines,
            seconds=seconds,
            left_out=self.left_out,
        )

    @staticmethod
    def _silence(config: pytest.Config) -> None:
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            config.pluginmanager.unregister(terminal)


def is_quiet(config: pytest.Config) -> bool:
    """Whether only checks are asked for, and nothing that needs pytest's own output."""
    option = config.option
    needs_pytest = option.verbose > 0 or option.collectonly or option.usepdb
    places = (Path(config.invocation_params.dir, str(arg).split("::")[0]) for arg in config.args)
    return not needs_pytest and all(_is_within_checks(place) for place in places)


def _is_within_checks(place: Path) -> bool:
    return place.resolve().is_relative_to(CHECKS)


def _real_stdout() -> TextIO:
    # pytest captures what is written while a check runs; a moving status line would go there too.
    with suppress(OSError, ValueError):
        return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    return sys.stdout
