"""Trees, applied for real: there with all their files or not at all."""

import os
from pathlib import Path

import pytest

from provision.connection import CommandFailedError
from provision.release import release_of
from provision.resources.tree import Tree
from tests.local_host import LocalHost


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    folder = tmp_path / "app" / "releases"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    source = tmp_path / "source"
    (source / "static").mkdir(parents=True)
    (source / "wsgi.py").write_text("application = None\n")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "static" / "with space.css").write_text("a {}")
    return release_of(source).archive


def _older_tree(releases: Path, name: str, age_s: int) -> None:
    (releases / name).mkdir()
    os.utime(releases / name, (1_700_000_000 - age_s, 1_700_000_000 - age_s))


def test_archive_of_a_release_is_unpacked_whole(
    host: LocalHost, releases: Path, archive: bytes
) -> None:
    path = releases / "one"
    assert host.ensure(Tree(str(path), archive)) == {}
    assert (path / "wsgi.py").read_text() == "application = None\n"
    assert (path / "static" / "with space.css").read_text() == "a {}"
    assert os.access(path / "run.sh", os.X_OK)
    assert (path / "wsgi.py").stat().st_mode & 0o777 == 0o644
    assert (path / "wsgi.py").stat().st_uid == os.geteuid()


def test_second_look_at_a_tree_finds_nothing_to_change(
    host: LocalHost, releases: Path, archive: bytes
) -> None:
    tree = Tree(str(releases / "one"), archive)
    host.ensure(tree)
    assert host.changes(tree) == {}


def test_archive_that_was_cut_off_leaves_no_tree(
    host: LocalHost, releases: Path, archive: bytes
) -> None:
    tree = Tree(str(releases / "one"), archive[:700])
    with pytest.raises(CommandFailedError):
        host.ensure(tree)
    assert not (releases / "one").exists()
    assert host.changes(tree) == {"type": "absent"}


def test_half_a_tree_of_a_killed_run_is_unpacked_anew(
    host: LocalHost, releases: Path, archive: bytes
) -> None:
    (releases / "one.new").mkdir()
    (releases / "one.new" / "leftover").write_text("x")
    assert host.ensure(Tree(str(releases / "one"), archive)) == {}
    assert not (releases / "one" / "leftover").exists()
    assert not (releases / "one.new").exists()


def test_only_the_newest_trees_are_kept(host: LocalHost, releases: Path, archive: bytes) -> None:
    for age_s, name in enumerate(("b", "a", "d", "c")):
        _older_tree(releases, name, age_s)
    host.ensure(Tree(str(releases / "new"), archive, keep=3))
    assert sorted(path.name for path in releases.iterdir()) == ["a", "b", "new"]


def test_current_tree_is_kept_however_old(host: LocalHost, releases: Path, archive: bytes) -> None:
    for age_s, name in enumerate(("b", "a", "d", "c")):
        _older_tree(releases, name, age_s)
    (releases.parent / "current").symlink_to("releases/c")
    host.ensure(Tree(str(releases / "new"), archive, keep=2))
    assert sorted(path.name for path in releases.iterdir()) == ["b", "c", "new"]


def test_nothing_is_removed_while_there_are_few(
    host: LocalHost, releases: Path, archive: bytes
) -> None:
    _older_tree(releases, "a", 1)
    host.ensure(Tree(str(releases / "new"), archive, keep=2))
    assert sorted(path.name for path in releases.iterdir()) == ["a", "new"]


def test_folders_can_be_entered_whatever_umask_the_login_has(
    releases: Path, archive: bytes
) -> None:
    LocalHost(umask=0o077).ensure(Tree(str(releases / "one"), archive))
    assert (releases / "one" / "static").stat().st_mode & 0o777 == 0o755


def test_archive_is_in_no_repr(archive: bytes) -> None:
    assert "application" not in repr(Tree("/srv/app/releases/one", archive))
