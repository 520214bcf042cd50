"""Files, applied for real: written whole or not at all, checked, and never on a command line."""

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.connection import CommandFailedError
from provision.resources import CheckFailedError, Directory, File
from provision.resources.stamps import was_ours
from tests.local_host import LocalHost, write_program

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="files of root are made by root alone")
pytestmark = needs_root

SECRET = "hunter2-and-more"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _litter(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if "quartet-new" in path.name]


def test_file_gets_its_content_owner_and_mode(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert host.ensure(File(str(path), "hello\n", owner="nobody:nogroup", mode="0640")) == {}
    assert path.read_text() == "hello\n"
    assert (path.owner(), path.group(), _mode(path)) == ("nobody", "nogroup", 0o640)


def test_second_look_at_a_file_finds_nothing_to_change(host: LocalHost, tmp_path: Path) -> None:
    file = File(str(tmp_path / "file"), "hello\n")
    host.ensure(file)
    before = (tmp_path / "file").stat()
    assert host.ensure(file) == {}
    assert (tmp_path / "file").stat() == before


@pytest.mark.parametrize("content", ["", "no end of line", "ünï\n", "$HOME `id` \\n 'q'\n", "\0\n"])
def test_any_content_arrives_as_it_is(content: str, host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert host.ensure(File(str(path), content)) == {}
    assert path.read_bytes() == content.encode()


@pytest.mark.parametrize("name", ["with space", "it's", "$HOME", "-dash"])
def test_any_path_can_be_written(name: str, host: LocalHost, tmp_path: Path) -> None:
    assert host.ensure(File(str(tmp_path / name), "x")) == {}
    assert (tmp_path / name).read_text() == "x"


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (lambda path: path.write_text("other"), "sha256"),
        (lambda path: path.chmod(0o600), "mode"),
        (lambda path: os.chown(path, 65534, 0), "owner"),
    ],
    ids=["content", "mode", "owner"],
)
def test_each_drift_is_seen_by_name_and_mended(
    spoil: object, key: str, host: LocalHost, tmp_path: Path
) -> None:
    assert callable(spoil)
    file = File(str(tmp_path / "file"), "hello\n")
    host.ensure(file)
    spoil(tmp_path / "file")
    assert list(host.changes(file)) == [key]
    assert host.ensure(file) == {}


def test_link_in_a_files_place_is_replaced_not_followed(host: LocalHost, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "file").symlink_to(target)
    assert host.ensure(File(str(tmp_path / "file"), "hello")) == {}
    assert target.read_text() == "mine"


def test_missing_folder_is_made_readable(host: LocalHost, tmp_path: Path) -> None:
    host.ensure(File(str(tmp_path / "folder" / "file"), "x"))
    assert _mode(tmp_path / "folder") == 0o755


def test_missing_folders_above_are_made_readable_too(host: LocalHost, tmp_path: Path) -> None:
    host.ensure(File(str(tmp_path / "upper" / "lower" / "file"), "x"))
    assert _mode(tmp_path / "upper") == 0o755


def test_new_file_is_never_readable_by_others_on_its_way(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "key"
    check = ("sh", "-c", f'stat -c %a "$1" > {tmp_path}/seen', "sh", "{new}")
    host.ensure(File(str(path), SECRET, mode="0600", check=check))
    assert (tmp_path / "seen").read_text() == "600\n"
    script = host.scripts[1]
    assert script.index("umask 077") < script.index("cat >")


class TestCheck:
    def test_rejected_content_leaves_the_old_file_untouched(
        self, host: LocalHost, tmp_path: Path
    ) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        before = path.stat()
        with pytest.raises(CheckFailedError):
            host.ensure(File(str(path), "new", check=("grep", "old", "{new}")))
        assert path.read_text() == "old"
        assert path.stat().st_ino == before.st_ino
        assert _litter(tmp_path) == []

    def test_error_says_where_what_and_what_next(self, host: LocalHost, tmp_path: Path) -> None:
        path = tmp_path / "file"
        check = ("sh", "-c", "echo line 3 is wrong >&2; exit 1", "{new}")
        with pytest.raises(CheckFailedError) as caught:
            host.ensure(File(str(path), "new", check=check))
        text = str(caught.value)
        assert text.startswith("here-01: ")
        assert "sh -c" in text
        assert f"rejected the new {path}" in text
        assert "line 3 is wrong" in text
        assert "provision" in caught.value.next_step

    def test_check_sees_the_new_content_and_the_old_is_live_meanwhile(
        self, host: LocalHost, tmp_path: Path
    ) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        check = ("sh", "-c", f'cat "$1" {path} > {tmp_path}/seen', "sh", "{new}")
        host.ensure(File(str(path), "new ", check=check))
        assert (tmp_path / "seen").read_text() == "new old"

    def test_rejected_content_keeps_the_services_stamp(
        self, host: LocalHost, tmp_path: Path, loaded: Path
    ) -> None:
        (loaded / "a.service").write_text("1 2")
        file = File(str(tmp_path / "f"), "x", check=("false",), loaded_by=("a.service",))
        with pytest.raises(CheckFailedError):
            host.ensure(file)
        assert (loaded / "a.service").exists()


class TestCheckInPlace:
    def test_rejected_content_gives_way_to_the_old_file(
        self, host: LocalHost, tmp_path: Path
    ) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        path.chmod(0o640)
        with pytest.raises(CheckFailedError, match="grep old"):
            host.ensure(File(str(path), "new", check_in_place=("grep", "old", str(path))))
        assert path.read_text() == "old"
        assert _mode(path) == 0o640
        assert _litter(tmp_path) == []

    def test_rejected_content_is_removed_where_there_was_none(
        self, host: LocalHost, tmp_path: Path
    ) -> None:
        path = tmp_path / "file"
        with pytest.raises(CheckFailedError):
            host.ensure(File(str(path), "new", check_in_place=("false",)))
        assert not path.exists()

    def test_accepted_content_stays(self, host: LocalHost, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        file = File(str(path), "new", check_in_place=("grep", "-q", "new", str(path)))
        assert host.ensure(file) == {}

    @pytest.mark.parametrize("verdict", ["true", "false"])
    def test_no_copy_of_the_old_content_is_left_behind(self, verdict: str, tmp_path: Path) -> None:
        spare = tmp_path / "spare"
        spare.mkdir()
        write_program(tmp_path / "bin", "mktemp", f"exec /usr/bin/mktemp {spare}/XXXXXX")
        (tmp_path / "file").write_text("old")
        file = File(str(tmp_path / "file"), "new", check_in_place=(verdict,))
        with contextlib.suppress(CheckFailedError):
            LocalHost(tmp_path / "bin").ensure(file)
        assert list(spare.iterdir()) == []


def test_leftovers_of_a_killed_run_are_harmless(host: LocalHost, tmp_path: Path) -> None:
    leftover = tmp_path / ".file.quartet-new"
    leftover.write_text("half of somethi")
    leftover.chmod(0o777)
    assert host.ensure(File(str(tmp_path / "file"), "whole", mode="0600")) == {}
    assert not leftover.exists()


def test_stamp_is_gone_before_the_new_content_is_live(tmp_path: Path, loaded: Path) -> None:
    (loaded / "a.service").write_text("1 2")
    witness = f'ls {loaded} > {tmp_path}/seen; exec /usr/bin/mv "$@"'
    write_program(tmp_path / "bin", "mv", witness)
    host = LocalHost(tmp_path / "bin")
    assert host.ensure(File(str(tmp_path / "file"), "new", loaded_by=("a.service",))) == {}
    assert (tmp_path / "seen").read_text() == ""


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_named_and_the_old_content_still_live(
    host: LocalHost, tiny_disk: Path
) -> None:
    path = tiny_disk / "file"
    path.write_text("old")
    with pytest.raises(CommandFailedError) as caught:
        host.ensure(File(str(path), "x" * 100_000))
    assert "No space left on device" in str(caught.value)
    assert "the disk is full" in caught.value.next_step
    assert path.read_text() == "old"
    assert _litter(tiny_disk) == []


def test_content_and_secrets_are_in_no_repr() -> None:
    file = File("/etc/x", f"password={SECRET}", secrets=(SECRET,))
    assert SECRET not in repr(file)


@pytest.mark.parametrize("check", ["check", "check_in_place"])
def test_content_is_never_on_a_command_line(check: str, host: LocalHost, tmp_path: Path) -> None:
    command = ("true",)
    in_place = check == "check_in_place"
    file = File(
        str(tmp_path / "file"),
        f"password={SECRET}",
        check=() if in_place else command,
        check_in_place=command if in_place else (),
    )
    assert host.ensure(file) == {}
    assert not any(SECRET in script for script in host.scripts)


class TestWhatWasThereBefore:
    """A file that somebody else made is kept, beside the one that replaces it."""

    def test_is_kept_beside_it_with_owner_and_mode(self, host: LocalHost, tmp_path: Path) -> None:
        path = tmp_path / "site.conf"
        path.write_text("theirs")
        path.chmod(0o640)
        shutil.chown(path, "nobody")
        assert host.ensure(File(str(path), "ours")) == {}
        kept = tmp_path / "site.conf.before-quartet"
        assert (kept.read_text(), kept.owner(), _mode(kept)) == ("theirs", "nobody", 0o640)

    def test_is_kept_once_and_never_overwritten(self, host: LocalHost, tmp_path: Path) -> None:
        path = tmp_path / "site.conf"
        path.write_text("theirs")
        for content in ("first", "second"):
            host.ensure(File(str(path), content))
        assert (tmp_path / "site.conf.before-quartet").read_text() == "theirs"

    def test_is_nothing_where_the_file_was_ours(self, host: LocalHost, tmp_path: Path) -> None:
        for content in ("first", "second"):
            host.ensure(File(str(tmp_path / "site.conf"), content))
        assert [path.name for path in tmp_path.glob("site.conf*")] == ["site.conf"]

    def test_is_kept_in_place_when_the_new_one_is_rejected(
        self, host: LocalHost, tmp_path: Path
    ) -> None:
        path = tmp_path / "site.conf"
        path.write_text("theirs")
        with pytest.raises(CheckFailedError):
            host.ensure(File(str(path), "ours", check=("false",)))
        assert path.read_text() == "theirs"
        assert not (tmp_path / "quartet").exists()


class TestNotes:
    """What is ours is noted on the machine, below a folder of notes."""

    @pytest.fixture
    def notes(self, tmp_path: Path) -> Path:
        return tmp_path / "quartet" / "ours"

    def test_file_that_was_written_is_noted(
        self, host: LocalHost, tmp_path: Path, notes: Path
    ) -> None:
        host.ensure(File(str(tmp_path / "site.conf"), "ours"))
        assert Path(f"{notes}{tmp_path}/site.conf").is_file()

    def test_folder_that_was_made_is_noted_with_what_is_in_it(
        self, host: LocalHost, tmp_path: Path, notes: Path
    ) -> None:
        assert host.ensure(Directory(str(tmp_path / "app"))) == {}
        assert Path(f"{notes}{tmp_path}/app").is_dir()
        assert host.ensure(File(str(tmp_path / "app" / "environment"), "x")) == {}
        assert Path(f"{notes}{tmp_path}/app/environment").is_file()

    def test_folder_is_noted_before_it_is_made(
        self, host: LocalHost, tmp_path: Path, notes: Path
    ) -> None:
        """Cut off in between, the next run must not take it for somebody else's."""
        (tmp_path / "in the way").touch()
        with pytest.raises(CommandFailedError):
            Directory(str(tmp_path / "in the way" / "app")).apply(host, {})
        assert Path(f"{notes}{tmp_path}/in the way/app").is_dir()

    def test_path_is_known_as_ours_once_it_is_noted(self, host: LocalHost, tmp_path: Path) -> None:
        path = str(tmp_path / "it's a site.conf")
        assert not _was_ours(host, path)
        host.ensure(File(path, "ours"))
        assert _was_ours(host, path)
        assert not _was_ours(host, str(tmp_path / "other.conf"))

    def test_computer_that_has_labs_is_not_ours_for_that(
        self, host: LocalHost, tmp_path: Path, notes: Path
    ) -> None:
        (notes.parent / "shop" / "machines").mkdir(parents=True)
        assert not _was_ours(host, str(tmp_path / "site.conf"))


def _was_ours(host: LocalHost, path: str) -> bool:
    return host.run(f"if {was_ours(path)}; then echo yes; fi") == "yes\n"
