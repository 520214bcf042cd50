"""What a drill calls wrong, and how it shows what it found."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from provision.drill.keyboard import Done
from provision.drill.ledger import Account
from provision.drill.overlap import Stretch
from provision.drill.report import Row, print_rows, write_json

GOOD = Row(
    event="switchover",
    trial=1,
    account=Account(acknowledged=100, refused=2, undecided=3, undecided_stored=1),
    pause_s=0.4,
    goes_on=True,
    writable_after_s=1.2,
    most_writable=1,
    writable={"web-01": [Stretch(1.0, 2.0)]},
    blind_s=0.06,
    note="db.switchover 1.0 s",
    commands=[Done("db.switchover", 0, "web-02 is the primary", 1.0, 2.0)],
    ledger="run.jsonl",
)


def test_refused_and_undecided_writes_are_nothing_wrong() -> None:
    assert GOOD.faults() == []


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (replace(GOOD, account=Account(lost=["a", "b"])), "2 acknowledged writes were lost"),
        (replace(GOOD, account=Account(broken=["a"])), "1 refused writes were stored"),
        (replace(GOOD, account=Account(twice=["a"])), "1 writes were stored twice"),
        (replace(GOOD, account=Account(failed=["a"])), "1 writes failed otherwise"),
        (replace(GOOD, most_writable=2), "2 servers took writes at the same instant"),
        (replace(GOOD, most_writable=0), "0 servers took writes at the same instant"),
        (replace(GOOD, goes_on=False), "writes did not go on"),
    ],
)
def test_what_must_not_be_is_said_with_the_ledger(bad: Row, told: str) -> None:
    assert bad.faults() == [f"switchover 1: {told} (run.jsonl)"]


def test_table_has_a_row_for_each_trial(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([GOOD, replace(GOOD, event="partition", trial=2, goes_on=False)])
    shown = capsys.readouterr().out
    assert "switchover 1" in shown
    assert "3 (1)" in shown
    assert "0.40 s" in shown
    assert "1.20 s" in shown
    assert "never" in shown
    assert "db.switchover 1.0 s" in shown


def test_json_has_the_same(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json([GOOD], path)
    [row] = json.loads(path.read_text())
    assert row["event"] == "switchover"
    assert row["account"]["acknowledged"] == 100
    assert row["pause_s"] == 0.4
    assert row["commands"][0]["output"] == "web-02 is the primary"
