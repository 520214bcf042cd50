"""What the ledger says of a run: pauses, and what became of each kind of write."""

import json
from pathlib import Path

import pytest

from provision.drill.ledger import Account, Ledger, Outcome, account, longest_pause
from tests.drill.entries import acknowledged, entry


def test_longest_pause_lies_between_two_acknowledgements() -> None:
    pause = longest_pause(acknowledged(1.0, 1.1, 3.6, 3.7), began=0.9, ended=4.0)
    assert (pause.began, pause.ended) == (1.1, 3.6)
    assert pause.seconds == pytest.approx(2.5)


def test_pause_is_the_services_and_not_one_writers() -> None:
    waiting = entry(Outcome.ACKNOWLEDGED, 1.0, 9.0, writer=1)
    others = [entry(Outcome.ACKNOWLEDGED, t / 2, t / 2 + 0.4, writer=2) for t in range(2, 18)]
    assert longest_pause([waiting, *others], began=1.0, ended=9.0).seconds < 0.6


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ((), (0.0, 10.0)),
        ((8.0,), (0.0, 8.0)),
        ((1.0, 2.0), (2.0, 10.0)),
    ],
    ids=["never", "late at first", "never again"],
)
def test_load_begins_and_ends_a_pause(
    moments: tuple[float, ...], expected: tuple[float, float]
) -> None:
    pause = longest_pause(acknowledged(*moments), began=0.0, ended=10.0)
    assert (pause.began, pause.ended) == expected


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNDECIDED, Outcome.FAILED])
def test_only_an_acknowledgement_ends_a_pause(outcome: Outcome) -> None:
    entries = [*acknowledged(1.0, 5.0), entry(outcome, 2.0, 3.0)]
    assert longest_pause(entries, began=1.0, ended=5.0).seconds == pytest.approx(4.0)


def test_acknowledgements_after_the_load_end_no_pause_of_it() -> None:
    assert longest_pause(acknowledged(1.0, 7.0), began=1.0, ended=5.0).ended == 5.0


def test_account_tells_what_became_of_each_kind() -> None:
    entries = [
        entry(Outcome.ACKNOWLEDGED, 1, 2, "kept"),
        entry(Outcome.ACKNOWLEDGED, 1, 2, "gone"),
        entry(Outcome.REFUSED, 1, 2, "rightly refused"),
        entry(Outcome.REFUSED, 1, 2, "stored all the same"),
        entry(Outcome.UNDECIDED, 1, 2, "came through"),
        entry(Outcome.UNDECIDED, 1, 2, "did not"),
        entry(Outcome.FAILED, 1, 2, "odd"),
    ]
    rows = ["kept", "stored all the same", "came through", "came through"]
    assert account(entries, rows) == Account(
        acknowledged=2,
        lost=["gone"],
        refused=2,
        broken=["stored all the same"],
        undecided=2,
        undecided_stored=1,
        failed=["odd: "],
        twice=["came through"],
    )


def test_every_line_is_on_disk_at_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "drill" / "run.jsonl") as ledger:
        ledger.add(entry(Outcome.REFUSED, 1.0, 2.0, "drill run 1 1"))
        line = json.loads(ledger.path.read_text())
    assert line["text"] == "drill run 1 1"
    assert line["outcome"] == "refused"
    assert (line["began"], line["ended"]) == (1.0, 2.0)
    assert line["ended_at"] - line["began_at"] == 1.0


def test_write_that_began_before_is_no_sign_of_writing_going_on(tmp_path: Path) -> None:
    with Ledger(tmp_path / "run.jsonl") as ledger:
        ledger.add(entry(Outcome.ACKNOWLEDGED, 1.0, 5.0))
        ledger.add(entry(Outcome.REFUSED, 6.0, 7.0))
        assert ledger.has_acknowledged_since(1.0)
        assert not ledger.has_acknowledged_since(4.0)
        ledger.add(entry(Outcome.ACKNOWLEDGED, 4.5, 5.5))
        assert ledger.has_acknowledged_since(4.0)
