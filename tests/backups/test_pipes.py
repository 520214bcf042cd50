"""Programs that feed each other."""

import io
import os
from pathlib import Path

import pytest
from dbbackup import encryption
from dbbackup.failures import BackupError
from dbbackup.pipes import Pipeline, pipeline, pump, secret_descriptor

from tests.local_host import write_program


def test_output_of_one_is_the_input_of_the_next() -> None:
    with pipeline(["printf", "b\\na\\n"], ["sort"]) as running:
        assert running.output.read() == b"a\nb\n"


def test_first_that_speaks_is_to_blame() -> None:
    blamed = pytest.raises(BackupError, match="sh failed: no such key")
    with blamed, pipeline(["sh", "-c", "echo no such key >&2; exit 1"], ["cat"]) as running:
        running.output.read()


def test_last_one_that_fails_is_noticed() -> None:
    with pytest.raises(BackupError, match="false failed"), pipeline(["yes"], ["false"]):
        pass


def test_missing_program_is_told_with_what_to_do() -> None:
    with pytest.raises(BackupError, match="no-such-program is not installed"):
        pipeline(["no-such-program"]).__enter__()


def fail_after_two_lines(running: Pipeline, lines: list[bytes]) -> None:
    lines += [running.output.readline() for _ in range(2)]
    raise ZeroDivisionError


def test_nothing_goes_on_after_an_error() -> None:
    first = ["sh", "-c", "echo $$; exec sleep 60"]
    second = ["sh", "-c", "head -n1; echo $$; exec sleep 60"]
    numbers: list[bytes] = []
    with pytest.raises(ZeroDivisionError), pipeline(first, second) as running:
        fail_after_two_lines(running, numbers)
    for number in map(int, numbers):
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_secret_is_read_from_a_descriptor_by_the_programs_alone() -> None:
    with (
        secret_descriptor("hidden") as number,
        pipeline(["cat", f"/dev/fd/{number}"], descriptors=[number]) as running,
    ):
        assert running.output.read() == b"hidden"


def test_pump_hands_on_all() -> None:
    found: list[bytes] = []
    pump(io.BytesIO(b"x" * 3_000_000), found.append)
    assert sum(map(len, found)) == 3_000_000


def test_wrong_key_is_told_in_our_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "echo 'age: error: no identity matched any of the recipients' >&2; exit 1"
    write_program(tmp_path / "bin", "age", words)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    told = pytest.raises(BackupError, match="was encrypted for another key")
    with told, encryption.opened(tmp_path / "x.age", "AGE-SECRET-KEY-1") as running:
        running.output.read()
