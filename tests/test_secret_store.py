"""Secrets: made once, kept for their owner's eyes alone, never half written."""

import json
import stat
from pathlib import Path

import pytest

from provision.errors import QuartetError
from provision.secrets import SecretStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "secrets.json"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_file_and_folder_are_for_their_owner_alone(path: Path) -> None:
    SecretStore(path).password("a")
    assert _mode(path) == 0o600
    assert _mode(path.parent) == 0o700


def test_password_is_made_once_and_found_again(path: Path) -> None:
    made = SecretStore(path).password("a")
    assert SecretStore(path).password("a") == made
    assert SecretStore(path).password("b") != made


def test_password_is_long_and_safe_to_quote() -> None:
    password = SecretStore(None).password("a")
    assert len(password) >= 32
    assert password.replace("-", "").replace("_", "").isalnum()


def test_value_is_made_only_where_there_is_none(path: Path) -> None:
    store = SecretStore(path)
    assert store.peek("a") is None
    assert store.get("a", lambda: "first") == "first"
    assert store.get("a", lambda: "second") == "first"
    store.put("a", "third")
    assert SecretStore(path).peek("a") == "third"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_file_that_others_can_read_is_refused(mode: int, path: Path) -> None:
    SecretStore(path).put("a", "x")
    path.chmod(mode)
    with pytest.raises(QuartetError) as caught:
        SecretStore(path)
    assert f"mode {mode:04o}" in caught.value.what
    assert caught.value.next_step == f"run `chmod 600 {path}`"


@pytest.mark.parametrize("text", ["", "{", "{'a': 'b'}", '{"a": "b"} trailing', "\udcff"])
def test_broken_file_is_an_error_and_is_kept(text: str, path: Path) -> None:
    SecretStore(path).put("a", "x")
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(QuartetError, match="can't be read as JSON") as caught:
        SecretStore(path)
    assert "backup" in caught.value.next_step
    assert path.read_bytes() == text.encode(errors="surrogateescape")


@pytest.mark.parametrize("text", ["[]", '"text"', "null"])
def test_file_that_holds_something_else_is_an_error(text: str, path: Path) -> None:
    SecretStore(path).put("a", "x")
    path.write_text(text)
    with pytest.raises(QuartetError):
        SecretStore(path)


def test_store_for_planning_writes_nothing(path: Path) -> None:
    store = SecretStore(path, keep=False)
    made = store.password("a")
    assert store.password("a") == made
    assert not path.parent.exists()


def test_store_for_planning_knows_what_was_kept(path: Path) -> None:
    SecretStore(path).put("a", "x")
    before = path.read_bytes()
    store = SecretStore(path, keep=False)
    store.put("b", "y")
    assert store.password("a") == "x"
    assert path.read_bytes() == before


def test_write_that_fails_leaves_the_old_file_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SecretStore(path)
    store.put("a", "x")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        store.put("b", "y")
    assert json.loads(path.read_text()) == {"a": "x"}


def test_draft_of_a_killed_run_is_harmless(path: Path) -> None:
    path.parent.mkdir()
    draft = path.with_suffix(".new")
    draft.write_text("half")
    draft.chmod(0o666)
    SecretStore(path).put("a", "x")
    assert json.loads(path.read_text()) == {"a": "x"}
    assert _mode(path) == 0o600
    assert not draft.exists()
