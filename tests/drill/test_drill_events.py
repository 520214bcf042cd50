"""Events against machines and commands that only take notes."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from provision.drill.events import EVENTS, DiskFull, OperatorKill, Partition
from provision.drill.keyboard import Done, Operator
from provision.drill.ledger import Ledger
from provision.drill.scene import Scene
from provision.errors import QuartetError
from provision.topology import Topology, load
from tests.site_parts import ROOT


@dataclass
class Notes:
    """What was done, in order; `codes` are the commands' exit statuses, 0 by default."""

    done: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    writable: bool = True

    def __call__(self, *words: str) -> Done:
        text = " ".join(words)
        self.done.append(text)
        return Done(words[0], self.codes.get(words[0], 0), "error: no", 1.0, 2.0)


class NotingOperator(Operator):
    def __init__(self, notes: Notes) -> None:
        super().__init__([])
        object.__setattr__(self, "_notes", notes)

    def run(self, *words: str) -> Done:
        return cast("Notes", self._notes)(*words)  # type: ignore[attr-defined]

    def start(self, *words: str) -> Any:
        notes = cast("Notes", self._notes)  # type: ignore[attr-defined]

        class Started:
            began = 1.0

            def kill(self, after_s: float = 0) -> bool:
                notes(*words, "killed")
                return True

            def wait(self) -> Done:
                return notes(*words)

        return Started()


class NotingFaults:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def __getattr__(self, name: str) -> Callable[..., None]:
        def act(*words: Any) -> None:
            self._notes(name, *map(str, words))

        return act


class FixedTier:
    def primary(self) -> str:
        return "web-01"

    def replicas(self) -> list[str]:
        return ["web-02", "db-03"]

    def status(self) -> dict[str, Any]:
        return {"primary": "web-01"}


class FixedScene(Scene):
    def flows(self, since: float, within_s: float = 5) -> bool:
        return self.boot.writable  # type: ignore[attr-defined,no-any-return]

    def stops(self, for_s: float, within_s: float) -> bool:
        return True


@pytest.fixture
def notes() -> Notes:
    return Notes()


def scene(notes: Notes, tmp_path: Path, number: int = 1, topology: Topology | None = None) -> Scene:
    return FixedScene(
        topology=topology or load(ROOT / "topology.yml"),
        tier=cast("Any", FixedTier()),
        faults=cast("Any", NotingFaults(notes)),
        operator=NotingOperator(notes),
        boot=cast("Any", notes),
        ledger=Ledger(tmp_path / "run.jsonl"),
        dice=random.Random(1),  # noqa: S311 nothing is guarded by it
        number=number,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("switchover", ["db.switchover"]),
        ("mysqld-kill", ["kill_mysqld web-01", "db.failover"]),
        ("power-cut", ["power-cut --limit web-01", "db.failover"]),
        ("replica-kill", ["kill_mysqld web-02", "db.switchover"]),
    ],
)
def test_event_does_what_its_name_says(
    name: str, expected: list[str], notes: Notes, tmp_path: Path
) -> None:
    strike = EVENTS[name]().strike(scene(notes, tmp_path))
    assert notes.done == expected
    assert strike.since == (1.0 if "db.failover" in expected else None)
    assert expected[-1].split()[0] in strike.note


@pytest.mark.parametrize("name", ["mysqld-kill", "power-cut", "partition"])
def test_automatic_failover_is_left_to_the_agents(name: str, notes: Notes, tmp_path: Path) -> None:
    topology = load(ROOT / "topology.yml")
    database = replace(topology.database, failover="automatic")
    automatic = replace(topology, database=database)
    strike = EVENTS[name]().strike(scene(notes, tmp_path, topology=automatic))
    assert "db.failover" not in notes.done
    assert "automatic failover" in strike.note


def test_cut_off_primary_is_cut_off_from_all_others_and_reconnected(
    notes: Notes, tmp_path: Path
) -> None:
    event, where = Partition(), scene(notes, tmp_path)
    event.undo(where)
    assert notes.done == []
    event.strike(where)
    event.undo(where)
    others = "['192.168.56.10', '192.168.56.12', '192.168.56.13']"
    assert notes.done == [f"cut_off web-01 {others}", "db.failover", f"reconnect web-01 {others}"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, ["db.switchover killed"]),
        (2, ["kill_mysqld web-01", "db.failover killed"]),
        (3, ["kill_mysqld web-01", "db.failover", "db.rejoin web-01 killed"]),
        (4, ["db.switchover killed"]),
    ],
)
def test_commands_are_killed_in_turn(
    number: int, expected: list[str], notes: Notes, tmp_path: Path
) -> None:
    OperatorKill().strike(scene(notes, tmp_path, number))
    assert notes.done == expected


def test_killed_command_is_repeated_once_where_writes_do_not_go_on(
    notes: Notes, tmp_path: Path
) -> None:
    notes.writable = False
    strike = OperatorKill().strike(scene(notes, tmp_path))
    assert notes.done == ["db.switchover killed", "db.switchover"]
    assert "repeated" in strike.note


def test_disk_is_small_before_the_writers_begin_and_its_own_afterwards(
    notes: Notes, tmp_path: Path
) -> None:
    event, where = DiskFull(), scene(notes, tmp_path)
    event.prepare(where)
    event.strike(where)
    event.undo(where)
    assert notes.done == [
        "give_small_disk web-02",
        "db.rejoin web-02",
        "db.switchover --to web-02",
        "fill_disk web-02",
        "db.failover",
        "free_disk web-02",
        "give_own_disk web-02",
    ]


def test_room_is_made_where_the_failover_was_no_help(notes: Notes, tmp_path: Path) -> None:
    event, where = DiskFull(), scene(notes, tmp_path)
    event.prepare(where)
    notes.writable = False
    notes.codes["db.failover"] = 1
    strike = event.strike(where)
    assert notes.done[-2:] == ["db.failover", "free_disk web-02"]
    assert "db.failover failed: error: no" in strike.note


@pytest.mark.parametrize("failing", ["free_disk", "status"])
def test_disk_is_its_own_again_although_nothing_else_could_be_undone(
    failing: str, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, where = DiskFull(), scene(notes, tmp_path)
    event.prepare(where)

    def fail(*_: object) -> None:
        raise QuartetError("web-02", "no answer")

    part = where.tier if failing == "status" else where.faults
    monkeypatch.setattr(part, failing, fail, raising=False)
    with pytest.raises(QuartetError, match="no answer"):
        event.undo(where)
    assert notes.done[-1] == "give_own_disk web-02"


def test_data_that_stay_in_memory_are_told_with_what_brings_them_back(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, where = DiskFull(), scene(notes, tmp_path)
    event.prepare(where)

    def fail(*_: object) -> None:
        raise QuartetError("web-02", "umount: target is busy")

    monkeypatch.setattr(where.faults, "give_own_disk", fail, raising=False)
    with pytest.raises(QuartetError, match="may be in memory: umount") as caught:
        event.undo(where)
    assert caught.value.next_step == "./lab drill --events switchover"


def test_preparation_that_fails_ends_the_drill(notes: Notes, tmp_path: Path) -> None:
    notes.codes["db.switchover"] = 1
    with pytest.raises(QuartetError, match=r"db.switchover: failed, so the drill ends"):
        DiskFull().prepare(scene(notes, tmp_path))
