"""Writers: what they make of answers, and that each write is in the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.drill import writer
from provision.drill.ledger import Ledger, Outcome
from provision.drill.writer import Load, check_the_door, judge
from provision.errors import QuartetError
from provision.polling import is_reached
from tests.drill.board import Board, board_at_work


@pytest.mark.parametrize(
    ("status", "told", "outcome"),
    [
        (201, '{"id": 7}', Outcome.ACKNOWLEDGED),
        (201, "no id", Outcome.FAILED),
        (201, '{"id": null}', Outcome.FAILED),
        (503, '{"error": "Writes are paused"}', Outcome.REFUSED),
        (503, "<html>No server is available</html>", Outcome.REFUSED),
        (504, "", Outcome.UNDECIDED),
        (502, "", Outcome.UNDECIDED),
        (None, "ConnectionError: reset", Outcome.UNDECIDED),
        (500, "", Outcome.FAILED),
        (404, "", Outcome.FAILED),
        (200, '{"id": 7}', Outcome.FAILED),
    ],
)
def test_answer_tells_the_outcome(status: int | None, told: str, outcome: Outcome) -> None:
    found, message_id = judge(status, told)
    assert found is outcome
    assert message_id == (7 if outcome is Outcome.ACKNOWLEDGED else None)


@pytest.fixture
def door() -> Iterator[str]:
    with board_at_work() as address:
        yield address


def test_every_write_is_in_the_ledger_and_no_text_comes_twice(door: str, tmp_path: Path) -> None:
    with Ledger(tmp_path / "run.jsonl") as ledger:
        with Load(door, "run", 3, ledger) as load:
            assert is_reached(lambda: len(ledger.entries()) >= 30, within_s=20)
        entries = ledger.entries()
    assert load.began < load.ended
    assert {each.writer for each in entries} == {1, 2, 3}
    texts = [each.text for each in entries]
    assert sorted(texts) == sorted(Board.texts)
    assert len(set(texts)) == len(texts)
    assert "drill run 1 1" in texts
    outcomes = {each.outcome for each in entries}
    assert outcomes == {Outcome.ACKNOWLEDGED, Outcome.UNDECIDED}
    assert len(ledger.path.read_text().splitlines()) == len(entries)


def test_door_that_takes_messages_is_fine(door: str) -> None:
    check_the_door(door, "run")
    assert Board.texts == ["drill run 0 0"]


def test_closed_door_is_one_error_before_anything_is_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "OPENS_WITHIN_S", 0.01)
    with pytest.raises(QuartetError, match="takes no message: no answer") as caught:
        check_the_door("http://127.0.0.1:1", "run")
    assert "./lab verify" in caught.value.next_step
