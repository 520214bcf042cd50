"""When a database tier without a new dump is excused."""

import importlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.conftest import MARKERS
from checks.expectations import UnmetError
from checks.machine_facts import Output

HOUR_S = 3600
Check = Callable[[Any], None]


@pytest.fixture
def check(pytestconfig: pytest.Config) -> Check:
    """The check itself, whose module has marks of the checks' own."""
    for marker in MARKERS:
        pytestconfig.addinivalue_line("markers", marker)
    module = importlib.import_module("checks.test_backups")
    return cast("Check", module.test_newest_dump_is_not_too_old)


def lab(dump_days: float | None, *running_s: float) -> Any:
    """Machines whose timers have been running so long; the first has a dump of that age."""
    facts: dict[str, dict[str, Output]] = {}
    for number, each in enumerate(running_s):
        began = f"ActiveEnterTimestamp=@{time.time() - each:.0f}\n" if each else ""
        facts[f"db-{number}"] = {"backup timer": Output(began, 0), "newest dump": Output("", 0)}
    if dump_days is not None:
        taken_at = (datetime.now(UTC) - timedelta(days=dump_days)).isoformat()
        facts["db-0"]["newest dump"] = Output(f'{{"taken_at": "{taken_at}"}}', 0)
    databases = [SimpleNamespace(name=name) for name in facts]
    topology = SimpleNamespace(databases=databases)
    return cast("Any", SimpleNamespace(facts=facts, topology=topology))


@pytest.mark.parametrize(
    ("dump_days", "running_s"),
    [(1, (99 * HOUR_S,) * 2), (None, (HOUR_S, HOUR_S)), (9, (HOUR_S, 2 * HOUR_S))],
    ids=["a new dump", "a new system", "all booted"],
)
def test_timer_gets_a_day(
    check: Check, dump_days: float | None, running_s: tuple[float, ...]
) -> None:
    check(lab(dump_days, *running_s))


@pytest.mark.parametrize("second_s", [0, HOUR_S], ids=["no timer", "booted"])
def test_one_machine_that_was_booted_excuses_nobody(check: Check, second_s: float) -> None:
    with pytest.raises(UnmetError) as caught:
        check(lab(9, 99 * HOUR_S, second_s))
    assert caught.value.found == "one that is 9.0 days old"
