"""Directories, links and files that must not be there, applied for real."""

import os
import stat
from pathlib import Path

import pytest

from provision.connection import CommandFailedError
from provision.resources import Directory, Link
from tests.local_host import LocalHost, write_program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are given by root alone")


def test_directory_gets_its_owner_and_mode(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "with space" / "deep"
    assert host.ensure(Directory(str(path), owner="nobody:nogroup", mode="0750")) == {}
    assert (path.owner(), path.group()) == ("nobody", "nogroup")
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_directory_that_is_there_keeps_its_content(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir(mode=0o700)
    (path / "file").write_text("mine")
    directory = Directory(str(path))
    assert host.changes(directory) == {"mode": "0700"}
    assert host.ensure(directory) == {}
    assert (path / "file").read_text() == "mine"


def test_file_in_a_directorys_place_is_an_error_not_deleted(
    host: LocalHost, tmp_path: Path
) -> None:
    (tmp_path / "folder").write_text("mine")
    with pytest.raises(CommandFailedError):
        host.ensure(Directory(str(tmp_path / "folder")))
    assert (tmp_path / "folder").read_text() == "mine"


def test_link_is_made_and_then_left_alone(host: LocalHost, tmp_path: Path) -> None:
    link = Link(str(tmp_path / "current"), "releases/one")
    assert host.ensure(link) == {}
    assert str((tmp_path / "current").readlink()) == "releases/one"
    before = (tmp_path / "current").lstat()
    assert host.ensure(link) == {}
    assert (tmp_path / "current").lstat() == before


def test_link_to_a_folder_is_switched_and_not_entered(host: LocalHost, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    host.ensure(Link(str(tmp_path / "current"), "one"))
    assert host.ensure(Link(str(tmp_path / "current"), "two")) == {}
    assert str((tmp_path / "current").readlink()) == "two"
    assert [*(tmp_path / "one").iterdir(), *(tmp_path / "two").iterdir()] == []


def test_link_is_there_at_every_moment_of_its_switch(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("one")
    for name in ("ln", "mv", "rm"):
        seen = f'readlink {tmp_path}/current >> {tmp_path}/seen; exec /usr/bin/{name} "$@"'
        write_program(tmp_path / "bin", name, seen)
    assert LocalHost(tmp_path / "bin").ensure(Link(str(tmp_path / "current"), "two")) == {}
    assert (tmp_path / "seen").read_text() == "one\none\n"


def test_link_left_over_by_a_killed_run_is_harmless(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "current.quartet-new").symlink_to("elsewhere")
    assert host.ensure(Link(str(tmp_path / "current"), "one")) == {}
    assert not (tmp_path / "current.quartet-new").is_symlink()
