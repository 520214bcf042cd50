"""What became of each check, in words: pytest's reports without its vocabulary."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from checks.expectations import NotAnsweringError, UnmetError
from checks.parameters import machines_of

Outcome = Literal["passed", "failed", "skipped"]
WHOLE_LAB = "all"


@dataclass(frozen=True)
class Result:
    """One check on one machine; expected, found and look are for those that failed."""

    area: str
    machine: str
    sentence: str
    check: str
    outcome: Outcome
    seconds: float = 0.0
    expected: str = ""
    found: str = ""
    look: str = ""


def result_of(
    item: pytest.Item, call: pytest.CallInfo[Any], report: pytest.TestReport
) -> Result | None:
    """Say what a phase of a check came to; None for a phase that decides nothing."""
    if report.when != "call" and report.passed:
        return None
    result = Result(
        area=area_of(item),
        machine=machine_of(item),
        sentence=sentence_of(item),
        check=item.nodeid,
        outcome=report.outcome,
        seconds=report.duration,
    )
    error = call.excinfo.value if call.excinfo else None
    if report.passed or error is None:
        return result
    if report.skipped:
        return _with(result, found=_skip_reason(report))
    return _failed(result, item, error, call)


def area_of(item: pytest.Item) -> str:
    """The row of the closing table."""
    marker = item.get_closest_marker("area")
    return str(marker.args[0]) if marker else "other"


def sentence_of(item: pytest.Item) -> str:
    """The check's name as a sentence, with what it was parametrized with beside machines."""
    function = getattr(item, "originalname", None) or item.name
    return function.removeprefix("test_").replace("_", " ") + _variant(item)


def _variant(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return ""
    machines = machines_of(item)
    others = [value for value in callspec.params.values() if value not in machines]
    named = [str(getattr(value, "name", value)) for value in others]
    return f" ({', '.join(named)})" if named else ""


def machine_of(item: pytest.Item) -> str:
    """The machine that a check is about."""
    machines = machines_of(item)
    return machines[0].name if machines else WHOLE_LAB


def _failed(
    result: Result, item: pytest.Item, error: BaseException, call: pytest.CallInfo[Any]
) -> Result:
    if isinstance(error, UnmetError):
        machine = error.machine or result.machine
        look = error.look or _marked_look(item)
        expected, found = error.expected, error.found
        if isinstance(error, NotAnsweringError):
            result, expected = _with(result, sentence=expected, check=""), "an answer"
    else:
        machine, look = result.machine, _marked_look(item)
        expected, found = "the check to run to its end", _where(error, call)
    return _with(
        result, machine=machine, expected=expected, found=found, look=command(look, machine)
    )


def command(look: str, machine: str) -> str:
    """Return what to type to look at it; `look` is a command for the machine, or a whole one."""
    if not look or look.startswith("./lab") or machine == WHOLE_LAB:
        return look
    # One argument where the machine's shell has something to read in it.
    typed = f'"sudo {look}"' if set("'|;").intersection(look) else f"sudo {look}"
    return f"./lab ssh {machine} {typed}"


def _marked_look(item: pytest.Item) -> str:
    marker = item.get_closest_marker("look")
    return str(marker.args[0]) if marker else ""


def _where(error: BaseException, call: pytest.CallInfo[Any]) -> str:
    words = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {words[0] if words else ''}"
    assert call.excinfo is not None
    own = [entry for entry in call.excinfo.traceback if _is_own(Path(str(entry.path)))]
    last = own[-1] if own else call.excinfo.traceback[-1]
    return f"{said} ({Path(str(last.path)).name}:{last.lineno + 1})"


def _is_own(path: Path) -> bool:
    return path.parent == Path(__file__).parent


def _skip_reason(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return reason.removeprefix("Skipped: ")


def _with(result: Result, **changes: str) -> Result:
    return Result(**{**vars(result), **changes})


def failures(results: list[Result]) -> Iterator[Result]:
    """Those that failed, in order."""
    return (result for result in results if result.outcome == "failed")
