"""Facts: one script asks all questions, and each answer finds its way back."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from provision.resources import Fact, FactKind
from provision.resources.facts import parse_answers, script_for
from provision.resources.file import FILES
from provision.resources.package import PACKAGES
from provision.resources.service import SERVICES
from provision.resources.user import USERS
from tests.local_host import LocalHost


def _echo(keys: Sequence[str]) -> str:
    return "\n".join(f"echo {key}={key.upper()}" for key in keys)


def _pairs(output: str) -> dict[str, str]:
    return dict(line.split("=") for line in output.splitlines() if line)


ECHO = FactKind("echo", _echo, _pairs)
SILENT = FactKind("silent", lambda _: "false", _pairs)


def test_many_kinds_are_asked_in_one_round_trip(tmp_path: Path) -> None:
    host = LocalHost()
    root = Fact(USERS, "root")
    folder = Fact(FILES, str(tmp_path))
    snapshot = host.read([root, Fact(ECHO, "a"), folder, Fact(ECHO, "b")])
    assert len(host.scripts) == 1
    assert snapshot.get(root)
    assert snapshot.get(folder)["type"] == "directory"
    assert (snapshot.get(Fact(ECHO, "a")), snapshot.get(Fact(ECHO, "b"))) == ("A", "B")


def test_question_asked_twice_is_sent_once() -> None:
    assert script_for([Fact(ECHO, "a"), Fact(ECHO, "a")]).count("echo a=A") == 1


def test_nothing_asked_is_a_script_that_succeeds() -> None:
    assert LocalHost().read([]).get(Fact(ECHO, "a")) is None


def test_question_without_an_answer_does_not_spoil_the_next() -> None:
    snapshot = LocalHost().read([Fact(SILENT, "x"), Fact(ECHO, "a")])
    assert snapshot.get(Fact(SILENT, "x")) is None
    assert snapshot.get(Fact(ECHO, "a")) == "A"


def test_answers_that_were_cut_off_are_missing_not_wrong() -> None:
    snapshot = parse_answers([Fact(ECHO, "a"), Fact(SILENT, "x")], "\n--quartet-fact echo\na=A\n")
    assert snapshot.get(Fact(ECHO, "a")) == "A"
    assert snapshot.get(Fact(SILENT, "x")) is None


@pytest.mark.parametrize(
    "kind", [FILES, PACKAGES, USERS, SERVICES], ids=lambda kind: str(kind.name)
)
def test_missing_keys_are_left_out(kind: FactKind, tmp_path: Path) -> None:
    missing = Fact(kind, f"{tmp_path}/no-such-thing")
    assert LocalHost().read([missing]).get(missing) is None


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "with space",
        "it's quoted",
        '"double"',
        "$HOME and `id`",
        "glob*?[a]",
        "ünïcode",
        "two  spaces",
        "tab\there",
        "semi;colon & more",
        "back\\slash",
        "new\nline",
    ],
)
def test_files_of_odd_names_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("content")
    state = LocalHost().read([Fact(FILES, str(path))]).get(Fact(FILES, str(path)))
    assert state["type"] == "file"
    assert len(state["sha256"]) == 64


@pytest.mark.parametrize(
    ("user", "shell"), [("root", "/bin/bash"), ("nobody-is-called-this", None)]
)
def test_user_is_known_by_its_shell(user: str, shell: str | None) -> None:
    line = "root:x:0:0:root:/root:/bin/bash\n"
    snapshot = parse_answers([Fact(USERS, user)], f"\n--quartet-fact users\n{line}")
    assert snapshot.get(Fact(USERS, user)) == shell
