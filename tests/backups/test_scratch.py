"""Restored data on a machine: what its timer removes of them, and how they become the live ones."""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from dbbackup import __main__ as program
from dbbackup import choice, install, restore, scratch, sent
from dbbackup.config import Config
from dbbackup.failures import BackupError
from dbbackup.store import Store

from tests.local_host import write_program

CONFIG = Config("web-01", ("web-01",), "age1x", "03:15", 14, 5)
AWAY = {"answers": False, "role": "unreachable", "error": "away"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scratch server's folder, with data in it, and no systemd."""
    root = tmp_path / "scratch"
    for name in ("DATA", "KEPT", "WAITING"):
        monkeypatch.setattr(scratch, name, root / name.lower())
    monkeypatch.setattr(scratch, "ROOT", root)
    monkeypatch.setattr(scratch, "LOCK", tmp_path / "lock")
    monkeypatch.setattr("dbbackup.scratch.shutil.chown", lambda *_: None)
    # It would hold for the tests' own process, and for all that it starts from then on.
    monkeypatch.setattr("dbbackup.ending.tidy_undisturbed", lambda: None)
    write_program(tmp_path / "bin", "systemctl", "true")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    (root / "data").mkdir(parents=True)
    (root / "data/auto.cnf").touch()
    return root


@pytest.fixture(autouse=True)
def sent_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sent, "ROOT", tmp_path / "sent")
    return tmp_path / "sent"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An archive on a machine whose server is away: a tick has nothing to archive."""
    store = Store(tmp_path / "archive")

    @contextmanager
    def written_to(_: Config) -> Iterator[Store]:
        yield store

    monkeypatch.setattr(program, "written_to", written_to)
    monkeypatch.setattr(choice, "health", lambda _: AWAY)
    return store


def tick() -> None:
    program.tick(CONFIG, argparse.Namespace())


def send(folder: Path, age_s: float = 0) -> Path:
    """A file that was sent for a restore, so long ago."""
    folder.mkdir(parents=True)
    path = folder / "x.age"
    path.touch()
    for each in (path, folder):
        os.utime(each, (time.time() - age_s,) * 2)
    return path


@pytest.mark.usefixtures("store")
def test_timer_removes_what_is_left_over(root: Path, sent_root: Path) -> None:
    path = send(sent_root / "old", 900)
    tick()
    assert not root.exists()
    assert not path.exists()


@pytest.mark.usefixtures("store")
def test_timer_leaves_a_restore_that_is_under_way_alone(root: Path, sent_root: Path) -> None:
    path = send(sent_root / "slow", 900)
    with scratch.held():
        tick()
    assert root.exists()
    assert path.exists()


@pytest.mark.usefixtures("store")
def test_timer_leaves_what_is_kept(root: Path) -> None:
    scratch.keep("a dump")
    tick()
    assert root.exists()


@pytest.mark.usefixtures("store")
def test_data_that_wait_to_become_the_live_ones_stay_for_an_hour(root: Path) -> None:
    scratch.finish()
    tick()
    assert (root / "data").exists()
    os.utime(scratch.WAITING, (time.time() - 3601,) * 2)
    tick()
    assert not root.exists()


@pytest.mark.usefixtures("store")
def test_repeated_restore_begins_anew_in_place_of_data_that_wait(root: Path) -> None:
    scratch.finish()
    scratch.prepare()
    assert not list((root / "data").iterdir())
    tick()
    assert not root.exists(), "what was begun anew does not wait yet"


def test_restored_server_that_is_kept_is_not_replaced(root: Path) -> None:
    scratch.keep("a dump")
    with pytest.raises(BackupError, match="is kept here"):
        scratch.prepare()
    assert (root / "data/auto.cnf").exists()


def request(name: str) -> restore.Request:
    """A wish for a dump that is nowhere."""
    facts = {"name": "x.sql.zst.age", "kind": "dump", "sha256": ""}
    return restore.Request(identity="secret", dump=facts, sent=name)


def test_restore_that_fails_leaves_nothing(root: Path, sent_root: Path, store: Store) -> None:
    mine, old = send(sent_root / "mine"), send(sent_root / "old", 900)
    with pytest.raises(BackupError, match="is not here"):
        restore.restore(request("mine"), store, say=print)
    assert not root.exists()
    assert not mine.parent.exists()
    assert not old.exists()


def test_restore_that_is_refused_takes_nothing_from_the_one_under_way(
    root: Path, sent_root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, slow = send(sent_root / "mine"), send(sent_root / "slow", 900)
    with scratch.held(), monkeypatch.context() as patience:
        patience.setattr(scratch, "held", partial(scratch.held, within_s=0))
        with pytest.raises(BackupError, match="another restore is under way"):
            restore.restore(request("mine"), store, say=print)
    assert root.exists()
    assert slow.exists()
    assert not mine.parent.exists()


class LiveServer:
    """Tells of which history the archive was when it was opened for writes."""

    def __init__(self, store: Store) -> None:
        self.histories: list[str] = []
        self._store = store

    def value(self, expression: str) -> str:
        return "new-uuid" if expression == "@@server_uuid" else "1"

    def rows(self, *_: str) -> list[list[str]]:
        self.histories.append(self._store.history)
        return []


def test_archive_tells_of_a_new_primary_before_it_takes_writes(
    root: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "data/mysql.ibd").touch()
    scratch.finish()
    server = LiveServer(store)
    monkeypatch.setattr(program, "Server", lambda: server)
    monkeypatch.setattr(install, "LIVE", tmp_path / "mysql")
    program.install_here(CONFIG, argparse.Namespace())
    assert server.histories == ["new-uuid"]
    assert (tmp_path / "mysql/mysql.ibd").exists()
    assert not root.exists()
