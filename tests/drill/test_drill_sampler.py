"""Samplers, with a local program in the place of ssh; and the program that they run."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pymysql
import pytest

from files.drill import probe
from provision.drill import sampler
from provision.drill.machines import Machines
from provision.drill.overlap import Answer, Sample
from provision.drill.sampler import Sampler, Samplers, parse
from provision.errors import QuartetError
from provision.polling import is_reached

THREE_AND_THE_END = "printf '1.0 1.1 open\\n1.2 1.3 closed\\n1.4 1.5 silent\\n1.6 1.'"


class Local(Machines):
    """Machines whose every command is the same local script."""

    script = ""

    def argv(self, name: str, *command: str) -> list[str]:
        return ["sh", "-c", f"cat > /dev/null; {self.script}"]


def local(script: str) -> Local:
    machines = Local(Path("ssh_config"))
    object.__setattr__(machines, "script", script)
    return machines


@pytest.mark.parametrize("line", ["", "1.0", "1.0 1.1", "1.0 1.1 ope", "a b c d"])
def test_half_a_line_is_no_sample(line: str) -> None:
    assert parse(line) is None


def test_line_is_a_sample() -> None:
    assert parse("1.5 1.75 closed\n") == Sample(1.5, 1.75, Answer.CLOSED)


def test_lost_session_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "AGAIN_AFTER_S", 0.01)
    one = Sampler(local(THREE_AND_THE_END), "web-01")
    one.start()
    assert is_reached(lambda: len(one.samples) >= 6, within_s=10)
    one.stop()
    assert [each.answer for each in one.samples[:4]] == ["open", "closed", "silent", "open"]


def test_samples_are_there_once_all_servers_have_answered() -> None:
    before = threading.active_count()
    script = "while echo '1.0 1.1 open'; do sleep 0.01; done"
    with Samplers(local(script), ["web-01", "web-02"]) as samplers:
        seen = samplers.samples()
    assert set(seen) == {"web-01", "web-02"}
    assert all(own for own in seen.values())
    assert threading.active_count() <= before


def test_server_that_cannot_be_watched_is_an_error_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampler, "FIRST_SAMPLE_S", 3.0)
    machines = local("echo 'No module named pymysql' >&2; exit 1")
    with (
        pytest.raises(QuartetError, match="web-01: No module named pymysql"),
        Samplers(machines, ["web-01"]),
    ):
        pass


class Cursor:
    def __init__(self, row: tuple[int, ...] | Exception) -> None:
        self._row = row

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        assert "read_only" in statement

    def fetchone(self) -> tuple[int, ...]:
        if isinstance(self._row, Exception):
            raise self._row
        return self._row


class Server:
    def __init__(self, row: tuple[int, ...] | Exception) -> None:
        self._row = row

    def cursor(self) -> Cursor:
        return Cursor(self._row)


@pytest.mark.parametrize(("row", "answer"), [((0,), "open"), ((1,), "closed")])
def test_probe_keeps_its_connection_and_tells_who_may_write(
    row: tuple[int, ...], answer: str
) -> None:
    server = Server(row)
    assert probe.sample(server) == (server, answer)


def test_probe_connects_anew_after_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: Any = Server(pymysql.err.OperationalError(2013, "lost"))
    assert probe.sample(lost) == (None, "silent")
    back = Server((0,))
    monkeypatch.setattr(probe, "connect", lambda: back)
    assert probe.sample(None) == (back, "open")


def test_probe_runs_from_standard_input_and_ends_in_time() -> None:
    done = subprocess.run(
        [sys.executable, "-u", "-", "0.01", "1"],
        input=sampler.PROBE.read_text(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    samples = [parse(line) for line in done.stdout.splitlines()]
    assert len(samples) > 3
    assert all(samples)
