"""Files that are sent to a machine for a restore."""

import os
import time
from pathlib import Path

import pytest
from dbbackup import sent


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sent, "ROOT", tmp_path / "sent")
    return tmp_path / "sent"


def put(root: Path, name: str, age_s: float) -> Path:
    path = root / name / "x.age"
    path.parent.mkdir(parents=True)
    path.touch()
    for each in (path, path.parent):
        os.utime(each, (time.time() - age_s,) * 2)
    return path


def test_own_folder_is_gone_afterwards_and_others_stay(root: Path) -> None:
    mine, other = put(root, "mine", 0), put(root, "other", 900)
    with sent.folder("mine") as folder:
        assert (folder / "x.age").exists()
    assert not mine.parent.exists()
    assert other.exists()


def test_what_is_old_is_left_over_and_what_is_fresh_is_not(root: Path) -> None:
    fresh, old = put(root, "fresh", 300), put(root, "old", 900)
    sent.remove_left_over()
    assert fresh.exists()
    assert not old.parent.exists()


def test_file_that_is_being_written_keeps_its_folder(root: Path) -> None:
    path = put(root, "slow", 900)
    os.utime(path)
    sent.remove_left_over()
    assert path.exists()


def test_nothing_was_ever_sent() -> None:
    sent.remove_left_over()
