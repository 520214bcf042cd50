"""Closing the local server, in peace where that can be, and else by a kill."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from dbagent import fencing
from dbagent.fencing import RESTARTING_S, UNKNOWN, fence, fence_for_stop, is_restarting

from tests.dbagent.fakes import Clock, gtids
from tests.dbagent.mysqlds import GONE, NO_ROUTE, FakeSession, Mysqld, Mysqlds

CLOSE = "SET GLOBAL super_read_only = ON"


class Machine:
    """db-1, whose mysqld systemd looks after."""

    def __init__(self, mysqlds: Mysqlds) -> None:
        self.mysqlds = mysqlds
        self.server = mysqlds["db-1"]
        self.process = 100
        self.commands: list[list[str]] = []
        self.is_systemd_busy = False
        self.waited_s = 0.0

    def local(self, patience: float = 1) -> FakeSession:
        return self.mysqlds.dial(self.mysqlds.config, self.mysqlds.config.peer("db-1"))

    def run(
        self, command: list[str], *, timeout: float, **_: object
    ) -> subprocess.CompletedProcess[str]:
        if self.is_systemd_busy:
            self.waited_s = timeout
            raise subprocess.TimeoutExpired(command, timeout)
        self.commands.append(command)
        return subprocess.CompletedProcess(command, 0, f"{self.process}\n", "")

    @property
    def was_killed(self) -> bool:
        return ["systemctl", "kill", "--signal=KILL", "mysql.service"] in self.commands


@pytest.fixture
def machine(
    mysqlds: Mysqlds, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Machine:
    machine = Machine(mysqlds)
    monkeypatch.setattr(fencing, "local", machine.local)
    monkeypatch.setattr(fencing, "time", clock)
    monkeypatch.setattr(fencing, "STOPPED", tmp_path / "stopped")
    monkeypatch.setattr(subprocess, "run", machine.run)
    return machine


def test_server_that_answers_is_closed_in_peace(machine: Machine) -> None:
    assert fence() == "is read-only now"
    assert machine.mysqlds.writable == []
    assert not machine.was_killed


def test_server_that_is_closed_is_left_alone(machine: Machine) -> None:
    machine.server.read_only = machine.server.super_read_only = True
    assert fence() == "was read-only already"
    assert machine.mysqlds.changes() == []
    assert not machine.was_killed


def test_server_that_somebody_else_is_closing_is_not_closed_yet(machine: Machine) -> None:
    """super_read_only shows ON from the first moment, and read_only once no commit hangs."""
    machine.server.super_read_only = True
    machine.server.hanging = gtids("db-1:10")
    assert fence().startswith("was killed")


def test_server_whose_commits_hang_is_killed(machine: Machine) -> None:
    """Closed in peace, it would acknowledge what nobody else has."""
    machine.server.hanging = gtids("db-1:10")
    told = fence()
    assert told.startswith("was killed, and comes back read-only (commits waited")
    assert machine.was_killed
    assert machine.mysqlds.changes() == []


def test_commits_that_are_acknowledged_after_all_are_waited_for(
    machine: Machine, clock: Clock
) -> None:
    machine.server.hanging = gtids("db-1:10")
    clock.at(clock.now + 0.2, lambda: machine.mysqlds.release(machine.server))
    assert fence() == "is read-only now"
    assert gtids("db-1:10") <= machine.mysqlds.acknowledged


def test_server_that_does_not_answer_is_killed(machine: Machine) -> None:
    machine.server.is_reachable = False
    assert fence() == "was killed, and comes back read-only (it did not answer)"
    assert machine.was_killed


def test_server_that_stops_answering_in_between_is_killed(machine: Machine) -> None:
    def before(server: Mysqld, statement: str) -> None:
        if statement == CLOSE:
            raise GONE

    machine.mysqlds.before = before
    assert "Lost connection" in fence()
    assert machine.was_killed


def test_server_that_does_not_run_needs_no_kill(machine: Machine) -> None:
    machine.mysqlds.kill("db-1")
    machine.process = 0
    assert fence() == "was not running"
    assert not machine.was_killed


@pytest.mark.parametrize(
    ("said", "process"),
    [("100\n", 100), ("0\n", 0), ("", UNKNOWN), ("Failed to connect\n", UNKNOWN)],
)
def test_process_is_what_systemd_says(
    monkeypatch: pytest.MonkeyPatch, said: str, process: int
) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, said, "")
    )
    assert fencing.process() == process


def test_process_is_unknown_while_systemd_is_too_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], *, timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert fencing.process() == UNKNOWN


def test_server_that_may_run_is_killed(machine: Machine) -> None:
    machine.mysqlds.kill("db-1")
    machine.process = UNKNOWN
    assert fence().startswith("was killed")
    assert machine.was_killed


class TestStop:
    """systemd calls it before it stops the server, and after the server has ended by itself."""

    @pytest.fixture(autouse=True)
    def main_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAINPID", "100")

    def test_server_that_is_stopped_on_purpose_is_closed_and_may_be_coming_back(
        self, machine: Machine
    ) -> None:
        assert not is_restarting()
        assert fence_for_stop() == "is read-only now"
        assert machine.mysqlds.writable == []
        assert is_restarting()

    @pytest.mark.parametrize("is_alive", [True, False])
    def test_server_is_killed_here_where_systemd_is_too_busy(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, is_alive: bool
    ) -> None:
        """Left to systemd, it would be stopped in peace."""
        killed: list[tuple[int, int]] = []

        def kill(process: int, sent: int) -> None:
            killed.append((process, sent))
            if not is_alive:
                raise ProcessLookupError

        monkeypatch.setattr(os, "kill", kill)
        machine.server.is_reachable = False
        machine.is_systemd_busy = True
        assert fence_for_stop(patience=4).startswith("was killed (")
        assert killed == [(100, signal.SIGKILL)]
        assert machine.waited_s == 4 * fencing.KILL_S

    def test_it_is_away_for_good_after_a_while(self, machine: Machine, clock: Clock) -> None:
        fence_for_stop()
        clock.now = fencing.STOPPED.stat().st_mtime + RESTARTING_S + 1
        assert not is_restarting()

    def test_server_that_ended_by_itself_was_not_stopped(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("MAINPID")
        assert fence_for_stop() == "has ended by itself"
        assert not is_restarting()
        assert machine.mysqlds.statements == []


@pytest.mark.parametrize(("error", "answers"), [(None, True), (NO_ROUTE, False), (GONE, False)])
def test_answering_is_to_answer_a_question(
    machine: Machine, error: Exception | None, answers: bool
) -> None:
    def before(server: Mysqld, statement: str) -> None:
        if error:
            raise error

    machine.mysqlds.before = before
    assert fencing.answers() == answers
