"""Commands as processes of their own, with a script in the place of `inv`."""

import os
import time
from pathlib import Path

import pytest

from provision.drill import keyboard
from provision.drill.keyboard import Operator
from provision.errors import QuartetError
from provision.polling import is_reached


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    script = tmp_path / "inv"
    script.write_text('#!/bin/sh\necho "$@"\neval "$ACT"\n')
    script.chmod(0o755)
    monkeypatch.setattr(keyboard, "INV", script)
    return Operator(["--topology", "t.yml"])


def test_task_is_run_about_the_same_system(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACT", "echo bad >&2; exit 3")
    done = operator.run("db.rejoin", "web-01")
    assert (done.command, done.code) == ("db.rejoin web-01", 3)
    assert done.output == "db.rejoin web-01 --topology t.yml\nbad"
    assert done.seconds > 0


def test_killed_task_dies_with_its_children(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child"
    monkeypatch.setenv("ACT", f"sleep 60 & echo $! > {child}; wait")
    running = operator.start("db.failover")
    assert is_reached(lambda: child.exists() and bool(child.read_text()), within_s=10)
    assert running.kill()
    number = int(child.read_text())
    assert is_reached(lambda: not _lives(number), within_s=10)


def test_task_that_has_ended_was_not_killed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACT", "true")
    assert not operator.start("db.status").kill(after_s=10)


def test_task_that_never_ends_is_an_error_and_killed(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child"
    monkeypatch.setenv("ACT", f"echo $$ > {child}; exec sleep 60")
    running = operator.start("db.failover")
    assert is_reached(lambda: child.exists() and bool(child.read_text()), within_s=10)
    began = time.monotonic()
    with pytest.raises(QuartetError, match=r"db\.failover: has not ended"):
        running.wait(timeout_s=0.2)
    assert time.monotonic() - began < 30
    assert not _lives(int(child.read_text()))


def _lives(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return os.getpid() != number and state != "Z"
