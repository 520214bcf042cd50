"""Diffs show what changes, and no secret on either side."""

from pathlib import Path

import pytest

from provision.diffs import MASK, file_diffs, mask
from provision.plan import Step
from provision.resources import Directory, File, Resource
from tests.local_host import LocalHost

SECRET = "n3w-s3cret"


def _diffs(*resources: Resource, key: str = "sha256") -> dict[str, str]:
    return file_diffs(LocalHost(), [Step("r", each, {key: "other"}) for each in resources])


def test_changed_line_is_shown_with_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "with space"
    path.write_text("one\ntwo\nthree\n")
    diff = _diffs(File(str(path), "one\n2\nthree\n"))[str(path)]
    lines = diff.splitlines()
    kept = f"live, to be kept as {path}.before-quartet"
    assert lines[:2] == [f"--- {path} ({kept})", f"+++ {path} (new)"]
    assert lines[3:] == [" one", "-two", "+2", " three"]


def test_file_that_was_kept_already_is_just_live(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one\n")
    (tmp_path / "file.before-quartet").write_text("the owner's")
    diff = _diffs(File(str(path), "two\n"))[str(path)]
    assert diff.splitlines()[0] == f"--- {path} (live)"


def test_new_file_is_all_new(tmp_path: Path) -> None:
    path = str(tmp_path / "new")
    assert _diffs(File(path, "one\n"))[path].splitlines()[3:] == ["+one"]


@pytest.mark.parametrize(("old", "new"), [("one", "two"), ("one", "one\n"), ("", "one"), ("x", "")])
def test_missing_end_of_line_mixes_no_lines(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(old)
    diff = _diffs(File(str(path), new))[str(path)]
    assert diff.endswith("\n")
    sides = [line for line in diff.splitlines()[2:] if line[0] in "+-"]
    assert all(line[1:] in {old, new.rstrip("\n")} for line in sides)


def test_only_content_makes_a_diff(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    assert _diffs(File(path, "x"), key="mode") == {}
    assert _diffs(Directory(path), key="type") == {}


def test_all_files_are_read_in_one_round_trip_or_none(tmp_path: Path) -> None:
    host = LocalHost()
    for count in (0, 3):
        files = [File(str(tmp_path / str(number)), "x") for number in range(count)]
        file_diffs(host, [Step("r", file, {"sha256": "other"}) for file in files])
    assert len(host.scripts) == 1


def test_secret_is_masked_on_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    path.write_text("USER=app\nPASSWORD=0ld-s3cret\n")
    file = File(str(path), f"USER=web\nPASSWORD={SECRET}\n", secrets=(SECRET,))
    diff = _diffs(file)[str(path)]
    assert "s3cret" not in diff
    assert f"PASSWORD={MASK}" in diff
    assert {"-USER=app", "+USER=web"} <= set(diff.splitlines())


def test_change_of_the_secret_alone_is_said_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    path.write_text("PASSWORD=0ld-s3cret\n")
    diff = _diffs(File(str(path), f"PASSWORD={SECRET}\n", secrets=(SECRET,)))[str(path)]
    assert diff == f"{path}: a secret in it changes\n"


def test_key_file_is_neither_shown_nor_read(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("0ld-s3cret")
    host = LocalHost()
    file = File(str(path), SECRET, secret=True)
    diff = file_diffs(host, [Step("r", file, {"sha256": "x"})])[str(path)]
    assert diff == f"{path}: (secret, not shown)\n"
    assert host.scripts == []


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (f"{SECRET}\n", f"{SECRET}\n"),
        (f"OLD_NAME={SECRET}\n", f"NEW_NAME={SECRET}\n"),
        (f"  PASSWORD={SECRET}\n", f"PASSWORD={SECRET}\n"),
    ],
    ids=["at a line's beginning", "under an older name", "indented"],
)
def test_secrets_value_is_hidden_wherever_it_stands(text: str, content: str) -> None:
    assert SECRET not in mask(text, File("/etc/x", content, secrets=(SECRET,)))
