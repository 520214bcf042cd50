"""Copies on this computer: whole or not there."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from provision.backups.shelf import Shelf
from provision.errors import QuartetError
from tests.backups.parts import CONTENT, A, B, cut_off_before_json, dump_facts, log_facts

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "backups")


def put(shelf: Shelf, facts: dict[str, Any], content: bytes = CONTENT) -> Path:
    shelf.add(facts, copies(content))
    return shelf.path(facts)


def copies(content: bytes) -> Callable[[Callable[[bytes], object]], None]:
    def copy(take: Callable[[bytes], object]) -> None:
        take(content[:5])
        take(content[5:])

    return copy


def test_copy_has_its_facts_beside_it(shelf: Shelf) -> None:
    facts = dump_facts(5, f"{A}:1-10")
    path = put(shelf, facts)
    assert path.read_bytes() == CONTENT
    assert json.loads(Path(f"{path}.json").read_text()) == facts
    assert [dump.name for dump in shelf.dumps()] == [facts["name"]]
    assert shelf.has(facts)


def test_copy_that_arrives_damaged_is_not_kept(shelf: Shelf) -> None:
    facts = dump_facts(5, f"{A}:1-10")
    with pytest.raises(QuartetError, match=r"web-02: .* is damaged") as caught:
        put(shelf, facts, b"something else")
    assert f"rm /var/backups/quartet/dumps/{facts['name']}" in caught.value.next_step
    assert not [path for path in shelf.root.rglob("*") if path.is_file()]


def test_copy_that_is_cut_off_is_not_kept(shelf: Shelf) -> None:
    def copy(take: Callable[[bytes], object]) -> None:
        take(CONTENT[:5])
        raise QuartetError("web-02", "can't be reached")

    with pytest.raises(QuartetError, match="can't be reached"):
        shelf.add(dump_facts(5, f"{A}:1-10"), copy)
    assert not [path for path in shelf.root.rglob("*") if path.is_file()]


def test_full_disk_here_is_told_as_such(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("provision.backups.shelf.os.fsync", full)
    with pytest.raises(QuartetError, match="can't be written: No space left on device"):
        put(shelf, dump_facts(5, f"{A}:1-10"))


def test_what_a_killed_run_left_is_no_copy_and_goes(shelf: Shelf) -> None:
    kept = put(shelf, dump_facts(5, f"{A}:1-10"))
    for name in ("half.sql.zst.age.partial", "whole.sql.zst.age", "x.json.partial"):
        (kept.parent / name).write_bytes(b"")
    assert len(shelf.dumps()) == 1
    shelf.clean()
    assert sorted(path.name for path in kept.parent.iterdir()) == [kept.name, f"{kept.name}.json"]


def test_damage_is_noticed_before_use(shelf: Shelf) -> None:
    facts = dump_facts(5, f"{A}:1-10")
    path = put(shelf, facts)
    shelf.check(facts)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(QuartetError, match="is damaged"):
        shelf.check(facts)
    path.unlink()
    with pytest.raises(QuartetError, match="can't be read"):
        shelf.check(facts)


def test_old_dumps_go_and_logs_that_none_needs(shelf: Shelf) -> None:
    for minute in (5, 20, 40):
        put(shelf, dump_facts(minute, f"{A}:1-{minute}"))
    for begun in (0, 10, 30):
        put(shelf, log_facts("web-02", (begun, begun + 9), f"{A}:1", f"{A}:1-2"))
    shelf.prune(1, datetime(2026, 11, 22, 18, 30, tzinfo=UTC))
    assert [dump.taken_at.minute for dump in shelf.dumps()] == [40]
    assert [log.begun_at.minute for log in shelf.logs()] == []


def test_newest_dump_stays_however_old(shelf: Shelf) -> None:
    put(shelf, dump_facts(5, f"{A}:1-10"))
    put(shelf, log_facts("web-02", (4, 6), f"{A}:1", f"{A}:1-2"))
    shelf.prune(1, datetime(2027, 11, 22, tzinfo=UTC))
    assert len(shelf.dumps()) == len(shelf.logs()) == 1


def test_what_is_set_aside_counts_no_more_and_goes_when_it_is_old(shelf: Shelf) -> None:
    put(shelf, dump_facts(5, f"{A}:1-10"))
    shelf.set_aside(NOW, B)
    assert shelf.dumps() == []
    assert len(list(shelf.root.glob("before-20261122T000000Z/web-02/dumps/*.age"))) == 1
    put(shelf, dump_facts(6, f"{A}:1-8"))
    shelf.prune(14, datetime(2026, 12, 5, tzinfo=UTC))
    assert list(shelf.root.glob("before-*"))
    shelf.prune(14, datetime(2026, 12, 7, tzinfo=UTC))
    assert not list(shelf.root.glob("before-*"))


def test_what_a_new_primary_has_done_since_is_not_set_aside(shelf: Shelf) -> None:
    new = f"{A}:1-4,{B}:1"
    put(shelf, dump_facts(5, f"{A}:1-10"))
    put(shelf, dump_facts(20, new))
    put(shelf, log_facts("web-02", (1, 4), f"{A}:1", f"{A}:1-9"))
    put(shelf, log_facts("web-02", (10, 20), f"{A}:1-4", new))
    shelf.set_aside(NOW, B)
    assert [dump.taken_at.minute for dump in shelf.dumps()] == [20]
    assert [log.begun_at.minute for log in shelf.logs()] == [10]


def test_setting_aside_that_was_cut_off_is_finished(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in (5, 20):
        put(shelf, dump_facts(minute, f"{A}:1-{minute}"))
    shelf.note_new_primary({"machine": "web-01"})
    with cut_off_before_json(monkeypatch):
        shelf.set_aside(NOW, B)
    assert shelf.new_primary() == {"machine": "web-01"}
    shelf.set_aside(NOW, B)
    assert shelf.new_primary() is None
    assert shelf.dumps() == []
    assert len(list(shelf.root.glob("before-*/web-02/dumps/*"))) == 4


def test_verification_is_remembered(shelf: Shelf) -> None:
    put(shelf, dump_facts(5, f"{A}:1-10"))
    [dump] = shelf.dumps()
    assert shelf.verified(dump) is None
    shelf.note_verified(dump, {"at": "2026-11-22T00:00:00Z"})
    assert shelf.verified(dump) == {"at": "2026-11-22T00:00:00Z"}
