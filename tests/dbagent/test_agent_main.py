"""The command `dbagent`: JSON for whoever runs it, and an exit status."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest
from dbagent import __main__ as module
from dbagent.config import AgentError, Config
from dbagent.rejoin import Rejoined
from dbagent.switchover import Report

from tests.dbagent.fakes import config_of
from tests.dbagent.mysqlds import Mysqlds


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Commands ignore that their terminal is gone; the tests don't."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@dataclass
class Outcome:
    status: int
    answer: dict[str, Any]


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command with these words, among three servers."""
    monkeypatch.setattr(Config, "load", lambda: config_of(3))

    def run(*words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["dbagent", *words])
        status = module.main()
        [line] = capsys.readouterr().out.splitlines()
        return Outcome(status, json.loads(line))

    return run


def test_status_shows_all_servers(run: Run, mysqlds: Mysqlds) -> None:
    outcome = run("status")
    assert outcome.status == 0
    assert outcome.answer["primary"] == "db-1"
    assert [each["role"] for each in outcome.answer["servers"]] == ["primary", "replica", "replica"]


def test_switchover_says_what_was_done(run: Run, mysqlds: Mysqlds) -> None:
    outcome = run("switchover", "--to", "db-3", "--by", "ada on desk")
    assert outcome.status == 0
    assert outcome.answer["primary"] == "db-3"
    assert outcome.answer["pause_s"] >= 0


def test_failover_says_what_was_done(run: Run, mysqlds: Mysqlds) -> None:
    mysqlds.kill("db-1")
    outcome = run("failover")
    assert (outcome.status, outcome.answer["primary"]) == (0, "db-2")
    assert outcome.answer["pause_s"] is None
    assert outcome.answer["told"]


def test_refusal_is_an_error_with_its_place_and_a_next_step(run: Run, mysqlds: Mysqlds) -> None:
    outcome = run("failover")
    assert outcome.status == 1
    error = outcome.answer["error"]
    assert error["where"] == "db-1"
    assert "nothing to fail over" in error["what"]
    assert error["next"] == "for a planned change: ./lab db.switchover"


@pytest.mark.parametrize(
    "failure",
    [
        pymysql.err.OperationalError(2013, "Lost connection"),
        ConnectionResetError("Lost connection"),
    ],
)
def test_server_that_is_lost_in_between_is_an_error_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object) -> Report:
        raise failure

    monkeypatch.setattr(module, "switchover", fail)
    outcome = run("switchover")
    assert outcome.status == 1
    assert outcome.answer["error"]["where"] == "the databases"
    assert "a server stopped answering in between" in outcome.answer["error"]["what"]
    assert "Lost connection" in outcome.answer["error"]["what"]
    assert outcome.answer["error"]["next"] == "./lab db.status"


def test_file_that_can_not_be_read_is_an_error_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> Config:
        raise AgentError("/etc/dbagent/config.json", "can't be read", "./lab provision")

    monkeypatch.setattr(Config, "load", load)
    outcome = run("status")
    assert (outcome.status, outcome.answer["error"]["next"]) == (1, "./lab provision")


def test_who_asks_and_what_is_known_are_passed_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def failover(config: Config, by: str, *, is_fenced: bool) -> Report:
        seen.append((by, is_fenced, sorted(config.off)))
        return Report("db-2", [])

    monkeypatch.setattr(module, "failover", failover)
    run("failover", "--by", "ada", "--fenced")
    run("failover", "--off", "db-1,db-2")
    run("failover")
    assert seen == [("ada", True, []), ("root", False, ["db-1", "db-2"]), ("root", False, [])]


def test_rejoin_says_where_its_own_transactions_are(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Rejoined(["it was cloned"], "/var/lib/dbagent/errant/1.sql")
    monkeypatch.setattr(module, "rejoin", lambda config, by: done)
    assert run("rejoin").answer == {
        "told": ["it was cloned"],
        "saved": "/var/lib/dbagent/errant/1.sql",
    }


def test_fence_says_what_it_did(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fence", lambda patience: "is read-only now")
    assert run("fence").answer == {"told": ["db-1 is read-only now"]}


def test_terminal_that_is_gone_stops_nothing(run: Run, mysqlds: Mysqlds) -> None:
    run("status")
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_reader_that_is_gone_stops_nothing(
    run: Run, mysqlds: Mysqlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", broken)
    monkeypatch.setattr(sys, "argv", ["dbagent", "switchover"])
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    assert module.main() == 0
    assert mysqlds.writable == ["db-2"]


@pytest.mark.parametrize("words", [[], ["promote"], ["status", "--to", "db-2"]])
def test_unknown_words_are_refused(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["dbagent", *words])
    with pytest.raises(SystemExit) as caught:
        module.main()
    assert caught.value.code == 2
