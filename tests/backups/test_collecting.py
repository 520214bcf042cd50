"""Asking the machines, choosing one, and bringing their archives together."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from provision.backups.agents import Report
from provision.backups.collecting import Collection, Survey
from provision.backups.comparing import compare
from provision.backups.history import Recipe
from provision.backups.new_primary import refuse_to_replace
from provision.backups.restoring import place_for
from provision.backups.shelf import Shelf
from provision.errors import QuartetError
from provision.fleet import Fleet
from tests.backups.parts import CONTENT, A, Machine, dump, dump_facts, log_facts
from tests.site_parts import TOPOLOGY

NAMES = ("web-01", "web-02", "db-03")


class MachinesAsFleet:
    """Does on machines what is asked, one after the other."""

    def __init__(self, *machines: Machine) -> None:
        self._machines = {each.name: each for each in machines}

    def each(self, arguments: Mapping[str, Any], action: Callable[..., Any]) -> dict[str, Any]:
        return {name: self._done(name, argument, action) for name, argument in arguments.items()}

    def _done(self, name: str, argument: Any, action: Callable[..., Any]) -> Any:
        try:
            if name not in self._machines:
                raise QuartetError(name, "can't be reached")
            return action(self._machines[name], argument)
        except QuartetError as error:
            return error


def server(role: str, *, usable: bool = True, executed: str = "") -> dict[str, Any]:
    return {"answers": role != "unreachable", "role": role, "usable": usable, "executed": executed}


def report(name: str, role: str, *, usable: bool = True, executed: str = "") -> Report:
    return Report(name, server(role, usable=usable, executed=executed), [], [])


def machine(name: str, role: str, **files: list[dict[str, Any]]) -> Machine:
    said = {
        "server": server(role, executed=f"{A}:1-9"),
        "dumps": files.get("dumps", []),
        "logs": files.get("logs", []),
        "kept": False,
        "history": "",
    }
    return Machine(name, {"report": json.dumps(said) + "\n", "cat --": CONTENT.decode()})


def collection(tmp_path: Path, *machines: Machine) -> Collection:
    fleet = cast("Fleet", MachinesAsFleet(*machines))
    return Collection(TOPOLOGY, fleet, Shelf(tmp_path / "backups"))


def scripts(machine: Machine, word: str) -> list[str]:
    return [script for script in machine.scripts if word in script]


def test_first_usable_replica_is_the_best_and_else_the_primary() -> None:
    primary, broken = report("web-01", "primary"), report("web-02", "replica", usable=False)
    good = report("db-03", "replica")
    assert Survey((primary, broken, good)).best() is good
    assert Survey((primary, broken)).best() is primary
    with pytest.raises(QuartetError, match=r"none is usable(.|\n)*web-01: can't be reached"):
        Survey((broken,), (QuartetError("web-01", "can't be reached"),)).best()


def test_nobody_to_ask_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(QuartetError, match=r"web-01: can't be reached(.|\n)*db-03: can't"):
        collection(tmp_path).survey()


def test_replicas_wait_for_what_the_primary_has_before_they_archive(tmp_path: Path) -> None:
    primary, replica = machine("web-01", "primary"), machine("web-02", "replica")
    archives = collection(tmp_path, primary, replica)
    survey = archives.archive(archives.survey())
    assert len(survey.failures) == 1
    assert scripts(replica, "archive")[0].endswith(f"archive --until {A}:1-9")
    assert scripts(primary, "archive")[0].endswith("archive")


def test_primary_without_replicas_closes_its_own_log(tmp_path: Path) -> None:
    primary = machine("web-01", "primary")
    archives = collection(tmp_path, primary)
    archives.archive(archives.survey())
    assert scripts(primary, "archive")[0].endswith("archive --force")


def test_what_is_not_here_is_fetched_and_only_the_logs_that_a_dump_needs(tmp_path: Path) -> None:
    dumps = [dump_facts(20, f"{A}:1-5")]
    logs = [
        log_facts("web-02", (1, 10), "", f"{A}:1-4"),
        log_facts("web-02", (10, 30), f"{A}:1-4", f"{A}:1-9"),
    ]
    replica = machine("web-02", "replica", dumps=dumps, logs=logs)
    archives = collection(tmp_path, replica)
    # Everything here is of a fixed day: nothing is too old for such a topology.
    archives._keep_days = 36_500
    archives.copy(archives.survey())
    archives.copy(archives.survey())
    fetched = [script.rpartition("/")[2] for script in scripts(replica, "cat --")]
    assert fetched == [dumps[0]["name"], logs[1]["name"]]
    assert [each.name for each in archives.shelf.logs()] == [logs[1]["name"]]


def test_restore_goes_to_a_replica_unless_a_machine_is_named() -> None:
    survey = Survey((report("web-01", "primary"), report("db-03", "replica")))
    assert place_for(survey, "").machine == "db-03"
    assert place_for(survey, "web-01").machine == "web-01"
    with pytest.raises(QuartetError, match="pick from web-01, db-03"):
        place_for(survey, "web-02")
    dead = Survey((report("web-01", "unreachable", usable=False),))
    assert place_for(dead, "").machine == "web-01"


def test_living_and_silent_servers_are_not_replaced_without_a_word() -> None:
    dead = report("web-02", "unreachable", usable=False)
    refuse_to_replace(Survey((dead,)))
    with pytest.raises(QuartetError, match=r"web-01 \(primary\)") as caught:
        refuse_to_replace(Survey((report("web-01", "primary"), dead)))
    assert "--replace" in caught.value.next_step
    with pytest.raises(QuartetError, match=r"db-03 \(can't be asked\)"):
        refuse_to_replace(Survey((dead,), (QuartetError("db-03", "is away"),)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"executed": f"{A}:1-8"}, f"it has {A}:1-8, and web-02 had {A}:1-9"),
        ({"sums": {"app.t": "2", "app.u": "5"}}, "differs from web-02 in app.t"),
        ({"sums": {"app.t": "1"}}, "differs from web-02 in app.u"),
    ],
)
def test_restored_server_has_to_be_as_the_live_one(changes: dict[str, Any], says: str) -> None:
    live = {"executed": f"{A}:1-9", "sums": {"app.t": "1", "app.u": "5"}}
    best, found = report("web-02", "replica"), Recipe(dump(5, f"{A}:1-5"))
    compare(live, dict(live), best, found)
    with pytest.raises(QuartetError, match=says):
        compare(live, live | changes, best, found)
