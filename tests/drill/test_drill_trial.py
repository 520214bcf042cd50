"""A whole trial against a board in memory and servers that only take notes."""

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from provision.drill import run, trial
from provision.drill.events import EVENTS
from provision.drill.happening import Event, Strike
from provision.drill.overlap import Answer, Sample
from provision.drill.scene import Scene
from provision.drill.trial import Drill
from provision.drill.wishes import Wish
from provision.errors import QuartetError
from provision.topology import load
from tests.drill.board import Board, board_at_work
from tests.drill.statuses import server, status
from tests.signals import usual_signals
from tests.site_parts import ROOT


class Samplers:
    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> "Samplers":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def samples(self) -> dict[str, list[Sample]]:
        return {"web-01": [Sample(1.0, 1.1, Answer.OPEN)]}


class Tier:
    lost = 0

    def __init__(self, *_: object) -> None:
        self.names = ["web-01", "web-02"]

    def primary(self) -> str:
        return "web-01"

    def status(self) -> dict[str, Any]:
        return status(server("web-02"))

    def texts(self, name: str, run_name: str) -> list[str]:
        return Board.texts[self.lost + 1 :]

    def forget(self, run_name: str) -> None:
        DONE.append("forget")


DONE: list[str] = []


class Nothing(Event):
    """Nothing happens."""

    def strike(self, scene: Scene) -> Strike:
        return Strike(0.0, "nothing happened")

    def undo(self, scene: Scene) -> None:
        DONE.append("undo")


class CtrlC(Nothing):
    """Somebody interrupts it."""

    def strike(self, scene: Scene) -> Strike:
        raise KeyboardInterrupt


class CtrlCTwice(CtrlC):
    """And once more while it is undone."""

    def undo(self, scene: Scene) -> None:
        raise KeyboardInterrupt


class Ended(Nothing):
    """The terminal is closed, and whoever started it ends it too."""

    def strike(self, scene: Scene) -> Strike:
        signal.raise_signal(signal.SIGHUP)
        raise AssertionError("it went on")

    def undo(self, scene: Scene) -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        super().undo(scene)


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    DONE.clear()
    monkeypatch.setattr(trial, "Samplers", Samplers)
    monkeypatch.setattr(trial, "Tier", Tier)
    monkeypatch.setattr(trial, "mend_disks", lambda scene: DONE.append("mend"))
    monkeypatch.setattr(trial, "restore", lambda scene: DONE.append("restore"))
    for name in ("BEFORE_S", "AFTER_S"):
        monkeypatch.setattr(trial, name, 0.05)
    for event in (Nothing, CtrlC, CtrlCTwice, Ended):
        monkeypatch.setitem(EVENTS, event.__name__, event)
    with board_at_work() as address:
        monkeypatch.setattr(Drill, "_door", address)
        yield


def drill(event: str, folder: Path) -> None:
    topology = replace(load(ROOT / "topology.yml"), path=folder / "topology.yml")
    wish = Wish((event,), writers=2, repeat=1, seed=1, json=folder / "out.json")
    lab = cast("Any", SimpleNamespace(status=dict))
    run(topology, folder / "ssh_config", lab, [], wish)


def test_account_is_printed_and_written_and_the_board_is_clean_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drill("Nothing", tmp_path)
    shown = capsys.readouterr().out
    assert "seed 1" in shown
    assert "nothing happened" in shown
    [row] = json.loads((tmp_path / "out.json").read_text())
    assert row["account"]["acknowledged"] > 0
    assert row["account"]["lost"] == []
    assert DONE == ["mend", "undo", "restore", "forget"]
    [ledger] = (tmp_path / ".quartet" / "drill").iterdir()
    assert str(ledger) == row["ledger"]


def test_lost_write_is_an_error_and_the_rows_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tier, "lost", 1)
    with pytest.raises(QuartetError, match="1 acknowledged writes were lost"):
        drill("Nothing", tmp_path)
    assert DONE == ["mend", "undo", "restore"]


def test_interrupted_drill_puts_things_right(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        drill("CtrlC", tmp_path)
    assert DONE == ["mend", "undo", "restore"]


def test_drill_that_may_not_even_do_that_says_what_is_left_to_do(tmp_path: Path) -> None:
    with pytest.raises(QuartetError, match="left as they are") as caught:
        drill("CtrlCTwice", tmp_path)
    assert "./lab db.rejoin" in caught.value.next_step
    assert "./lab drill" in caught.value.next_step


def test_drill_that_is_ended_from_outside_puts_things_right(tmp_path: Path) -> None:
    with usual_signals():
        with pytest.raises(KeyboardInterrupt):
            drill("Ended", tmp_path)
        assert DONE == ["mend", "undo", "restore"]
        after = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)]
        assert after == [signal.SIG_DFL, signal.SIG_DFL]
