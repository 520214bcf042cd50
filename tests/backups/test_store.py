"""A machine's own archive."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dbbackup import store as store_module
from dbbackup.failures import BackupError
from dbbackup.moments import as_text
from dbbackup.store import Store, sha256_of

from tests.backups.parts import A, cut_off_before_json

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(store_module, "RESERVE_BYTES", 0)
    return Store(tmp_path / "archive")


def add(store: Store, kind: str, name: str, days: int = 0, **more: str) -> None:
    when = as_text(NOW - timedelta(days=days))
    facts = {"taken_at": when, "ended_at": when, **more}
    store.add(kind, name, io.BytesIO(b"sealed"), lambda: facts)


def names(store: Store, kind: str) -> list[str]:
    return [facts["name"] for facts in store.facts(kind)]


def test_file_is_kept_with_its_facts_for_nobody_else_to_read(store: Store) -> None:
    add(store, "dump", "a.age")
    [facts] = store.facts("dump")
    assert facts["sha256"] == sha256_of(store.folder("dump") / "a.age")
    assert (facts["size"], facts["kind"]) == (6, "dump")
    assert store.root.stat().st_mode & 0o777 == 0o700
    assert store.has("dump", "a.age")


def test_file_of_which_something_fails_is_not_kept(store: Store) -> None:
    def tell() -> dict[str, Any]:
        raise BackupError("mysqldump failed: it was killed")

    with pytest.raises(BackupError, match="it was killed"):
        store.add("dump", "a.age", io.BytesIO(b"half"), tell)
    assert not list(store.folder("dump").iterdir())


def test_database_keeps_some_room_on_its_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Disk:
        f_bavail, f_blocks, f_frsize = 1000, 100_000, 4096

    monkeypatch.setattr(store_module, "RESERVE_BYTES", 256 << 20)
    monkeypatch.setattr("dbbackup.store.os.statvfs", lambda _: Disk)
    with pytest.raises(BackupError, match=r"nearly full: 3 MB are free, and 19 MB are left"):
        add(store, "dump", "a.age")
    assert not list(store.folder("dump").iterdir())


def test_what_a_killed_run_left_goes(store: Store) -> None:
    add(store, "log", "a.age")
    for name in ("b.age.partial", "c.age", "d.age.json.partial"):
        (store.folder("log") / name).write_bytes(b"")
    assert names(store, "log") == ["a.age"]
    store.clean()
    assert sorted(path.name for path in store.folder("log").iterdir()) == ["a.age", "a.age.json"]


def test_old_files_go_but_the_newest_dump_stays_and_logs_a_week_longer(store: Store) -> None:
    for days in (40, 30):
        add(store, "dump", f"{50 - days}.age", days)
    for days in (22, 20, 1):
        add(store, "log", f"{50 - days}.age", days)
    store.prune(14, NOW)
    assert names(store, "dump") == ["20.age"]
    assert names(store, "log") == ["30.age", "49.age"]


def test_archive_that_is_set_aside_is_empty_and_goes_when_it_is_old(store: Store) -> None:
    add(store, "dump", "a.age")
    store.set_aside(NOW, A)
    assert names(store, "dump") == []
    assert store.began_at == NOW
    aside = store.root / "before-20261122T120000Z/dumps/a.age.json"
    assert json.loads(aside.read_text())["name"] == "a.age"
    store.prune(14, NOW + timedelta(days=13))
    assert aside.exists()
    store.prune(14, NOW + timedelta(days=15))
    assert not aside.exists()


def test_what_a_new_primary_has_done_since_is_not_set_aside(store: Store) -> None:
    add(store, "dump", "old.age", gtid="b:1-9")
    add(store, "dump", "new.age", gtid=f"{A}:1,b:1-4")
    add(store, "log", "old.age", after="b:1-9")
    add(store, "log", "new.age", after=f"{A}:1-2,b:1-4")
    store.set_aside(NOW, A)
    assert names(store, "dump") == names(store, "log") == ["new.age"]
    assert store.began_at < NOW, "no log of the new history is left out"


def test_archive_is_set_aside_once_for_a_new_primary(store: Store) -> None:
    store.set_aside(NOW, A)
    add(store, "dump", "a.age", gtid="b:1-9")
    store.set_aside(NOW + timedelta(hours=1), A)
    assert names(store, "dump") == ["a.age"]
    assert (store.history, store.began_at) == (A, NOW)


def test_setting_aside_that_was_cut_off_is_finished(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.age", "b.age"):
        add(store, "dump", name)
    with cut_off_before_json(monkeypatch):
        store.set_aside(NOW, A)
    assert store.history == ""
    store.clean()
    store.set_aside(NOW, A)
    assert names(store, "dump") == []
    assert len(list(store.root.glob("before-*/dumps/*"))) == 4
