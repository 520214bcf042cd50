"""Releases: the same content gives the same archive, whoever packs it and when."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from provision.errors import QuartetError
from provision.release import release_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "one"
    (folder / "static").mkdir(parents=True)
    (folder / "wsgi.py").write_text("application = None\n")
    (folder / "static" / "style.css").write_text("a {}\n")
    return folder


def _entries(folder: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(release_of(folder).archive)) as archive:
        return {entry.name: entry for entry in archive.getmembers()}


def test_same_content_elsewhere_and_later_is_the_same_release(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "two"
    (other / "static").mkdir(parents=True)
    for name in ("static/style.css", "wsgi.py"):
        shutil.copy(folder / name, other / name)
        os.utime(other / name, (1, 1))
        (other / name).chmod(0o600)
    assert release_of(other) == release_of(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "wsgi.py").write_text("application = True\n"),
        lambda folder: (folder / "wsgi.py").rename(folder / "other.py"),
        lambda folder: (folder / "new.py").touch(),
        lambda folder: (folder / "wsgi.py").chmod(0o755),
    ],
    ids=["content", "name", "new file", "executable bit"],
)
def test_any_change_is_another_release(change: object, folder: Path, tmp_path: Path) -> None:
    assert callable(change)
    other = tmp_path / "two"
    shutil.copytree(folder, other)
    change(other)
    assert release_of(other).id != release_of(folder).id


@pytest.mark.parametrize(
    "name", ["__pycache__/wsgi.cpython-311.pyc", "old.pyc", ".git/HEAD", ".venv/bin/python"]
)
def test_what_the_application_does_not_need_is_left_out(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    assert list(_entries(folder)) == ["static/style.css", "wsgi.py"]


def test_time_of_change_is_the_contents_own(folder: Path, tmp_path: Path) -> None:
    same_size = tmp_path / "two"
    shutil.copytree(folder, same_size)
    (same_size / "static" / "style.css").write_text("b {}\n")
    mine, other = _entries(folder), _entries(same_size)
    assert mine["wsgi.py"].mtime == other["wsgi.py"].mtime
    assert mine["static/style.css"].mtime != other["static/style.css"].mtime
    assert all(1_000_000_000 <= entry.mtime < 1_600_000_000 for entry in mine.values())


def test_only_the_executable_bit_of_a_mode_is_kept(folder: Path) -> None:
    (folder / "migrate.py").write_text("#!/usr/bin/env python3\n")
    (folder / "migrate.py").chmod(0o700)
    (folder / "wsgi.py").chmod(0o666)
    entries = _entries(folder)
    assert entries["migrate.py"].mode == 0o755
    assert entries["wsgi.py"].mode == 0o644


def test_archive_names_no_owner(folder: Path) -> None:
    owners = {(e.uid, e.gid, e.uname, e.gname) for e in _entries(folder).values()}
    assert owners == {(0, 0, "", "")}


def test_archive_is_in_no_repr_of_a_release(folder: Path) -> None:
    assert repr(release_of(folder)) == f"Release(id='{release_of(folder).id}')"


def test_link_to_a_file_is_packed_as_the_file(folder: Path) -> None:
    (folder / "linked.py").symlink_to("wsgi.py")
    assert _entries(folder)["linked.py"].isreg()


def test_dangling_link_is_an_error_that_names_it(folder: Path) -> None:
    (folder / "gone.py").symlink_to("no-such-file")
    with pytest.raises(QuartetError, match=r"gone\.py"):
        release_of(folder)
