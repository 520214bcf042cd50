"""Replicas that see no primary agree on a failover, one of them does it, and then they pause."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dbagent import watch as module
from dbagent.health import HEARTBEAT_S
from dbagent.peers import Word
from dbagent.watch import (
    LONG_AGO_S,
    NEXT_IN_LINE_S,
    OVERDUE_S,
    SUSPECT_S,
    acted_s,
    remember_acting,
)

from tests.dbagent.fakes import Clock, dead, follower, primary_of, replica_of, word_from
from tests.dbagent.watching import Watched, install

PRIMARY = word_from("db-1", read_only=False)
WELL = follower("db-3", "db-1")
SUSPICIOUS = follower("db-3", "db-1", suspects_s=SUSPECT_S)
BY = ["failover", "--by", "the agent on db-2"]

MakeWatched = Callable[..., Watched]


@pytest.fixture
def make_watched(monkeypatch: pytest.MonkeyPatch, clock: Clock, tmp_path: Path) -> MakeWatched:
    """The agent of a replica of db-1, which was all well a moment ago."""

    def make(databases: int = 3, machine: str = "db-2", **settings: Any) -> Watched:
        automatic = {"automatic": True, **settings}
        watched = install(monkeypatch, clock, tmp_path, databases, machine=machine, **automatic)
        watched.server = replica_of(machine, "db-1")
        watched.hear(PRIMARY, WELL)
        watched.look()
        return watched

    return make


@pytest.fixture
def watched(make_watched: MakeWatched) -> Watched:
    """db-2 of three."""
    return make_watched()


class TestSuspicion:
    """For how long a replica has seen no primary."""

    @staticmethod
    def _suspects_s(watched: Watched, *words: Word, **facts: Any) -> float:
        watched.hear(*words)
        watched.server = replace(watched.server, **facts)
        watched.look(for_s=10)
        return watched.watch.suspects_s

    def test_none_while_the_primary_takes_writes(self, watched: Watched) -> None:
        assert self._suspects_s(watched, PRIMARY) == 0

    def test_none_while_its_agent_says_so_though_nothing_arrives(self, watched: Watched) -> None:
        assert self._suspects_s(watched, PRIMARY, receiver="CONNECTING", silent_s=99) == 0

    def test_one_that_is_closed_is_suspicious(self, watched: Watched) -> None:
        closed = replace(PRIMARY, read_only=True)
        assert self._suspects_s(watched, closed) == pytest.approx(10, abs=0.5)

    def test_one_that_does_not_answer_is_suspicious(self, watched: Watched) -> None:
        hung = replace(PRIMARY, answers=False)
        assert self._suspects_s(watched, hung) == pytest.approx(10, abs=0.5)

    def test_patience_is_for_the_link_too(self, make_watched: MakeWatched) -> None:
        patient = make_watched(patience=6)
        heard_s = HEARTBEAT_S + 6 * OVERDUE_S
        assert self._suspects_s(patient, silent_s=heard_s - 0.1) == 0
        assert self._suspects_s(patient, silent_s=heard_s) == pytest.approx(10, abs=0.5)

    def test_one_that_restarts_on_purpose_is_not(self, watched: Watched) -> None:
        restarting = replace(PRIMARY, answers=False, is_restarting=True)
        assert self._suspects_s(watched, restarting) == 0

    def test_none_while_it_is_heard_of_though_its_agent_is_away(self, watched: Watched) -> None:
        assert self._suspects_s(watched, silent_s=HEARTBEAT_S + OVERDUE_S - 0.1) == 0

    @pytest.mark.parametrize(
        "facts", [{"receiver": "CONNECTING"}, {"silent_s": HEARTBEAT_S + OVERDUE_S}]
    )
    def test_one_that_is_lost_and_whose_agent_is_away_is_suspicious(
        self, watched: Watched, facts: dict[str, Any]
    ) -> None:
        assert self._suspects_s(watched, **facts) == pytest.approx(10, abs=0.5)

    def test_source_that_is_no_machine_of_ours_is_judged_by_its_link(
        self, watched: Watched
    ) -> None:
        assert self._suspects_s(watched, source="192.0.2.99") == 0

    def test_it_is_over_once_the_primary_is_back(self, watched: Watched) -> None:
        assert self._suspects_s(watched, receiver="CONNECTING") > 0
        assert self._suspects_s(watched, PRIMARY) == 0


def lose_the_primary(watched: Watched, *others: Word, for_s: float = SUSPECT_S + 0.5) -> None:
    watched.server = replace(watched.server, receiver="CONNECTING")
    watched.hear(*others)
    watched.look(for_s=for_s)


class TestAgreement:
    def test_two_replicas_that_see_no_primary_fail_over(self, watched: Watched) -> None:
        lose_the_primary(watched, SUSPICIOUS)
        assert watched.failovers[0] == BY

    def test_not_before_it_has_lasted(self, watched: Watched) -> None:
        lose_the_primary(watched, SUSPICIOUS, for_s=SUSPECT_S - 0.5)
        assert watched.failovers == []

    def test_not_without_being_told_to_in_the_topology(self, make_watched: MakeWatched) -> None:
        watched = make_watched(automatic=False)
        lose_the_primary(watched, SUSPICIOUS, for_s=60)
        assert watched.failovers == []

    @pytest.mark.parametrize(
        "others",
        [
            [],
            [WELL],
            [replace(SUSPICIOUS, suspects_s=SUSPECT_S / 4)],
            [replace(SUSPICIOUS, source="192.0.2.9")],
            [word_from("db-3", read_only=False)],
            [word_from("db-3", answers=False)],
        ],
        ids=[
            "the other one is away",
            "the other one sees it",
            "the other one has not missed it for long",
            "the other one follows somebody else",
            "the other one is primary",
            "the other one's server is down",
        ],
    )
    def test_one_alone_does_nothing(self, watched: Watched, others: list[Word]) -> None:
        lose_the_primary(watched, *others, for_s=60)
        assert watched.failovers == []

    def test_the_only_replica_there_is_does_nothing(self, make_watched: MakeWatched) -> None:
        """It can't tell a dead primary from a cut cable."""
        watched = make_watched(2)
        lose_the_primary(watched, for_s=60)
        assert watched.failovers == []

    def test_one_that_was_left_without_a_source_agrees(self, watched: Watched) -> None:
        """A failover that was cut off had begun with it."""
        lose_the_primary(watched, word_from("db-3"))
        assert watched.failovers[0] == BY


class TestAgreementOfFive:
    """A write needs two, so that two of the four replicas can't decide, and three can."""

    @pytest.fixture
    def watched(self, make_watched: MakeWatched) -> Watched:
        return make_watched(5)

    @staticmethod
    def _suspicious(*names: str) -> list[Word]:
        return [follower(name, "db-1", suspects_s=SUSPECT_S) for name in names]

    def test_all_agree(self, watched: Watched) -> None:
        lose_the_primary(watched, *self._suspicious("db-3", "db-4", "db-5"))
        assert watched.failovers[0] == BY

    def test_one_may_be_away(self, watched: Watched) -> None:
        lose_the_primary(watched, *self._suspicious("db-3", "db-4"))
        assert watched.failovers[0] == BY

    def test_server_of_one_may_be_down(self, watched: Watched) -> None:
        down = word_from("db-5", answers=False)
        lose_the_primary(watched, *self._suspicious("db-3", "db-4"), down)
        assert watched.failovers[0] == BY

    def test_two_may_not_be_away(self, watched: Watched) -> None:
        lose_the_primary(watched, *self._suspicious("db-3"), for_s=60)
        assert watched.failovers == []

    def test_one_that_sees_it_forbids_it(self, watched: Watched) -> None:
        others = [*self._suspicious("db-3", "db-4"), follower("db-5", "db-1")]
        lose_the_primary(watched, *others, for_s=60)
        assert watched.failovers == []


class TestTurn:
    """They act one after the other, by their names, so that only the first one has to."""

    @pytest.mark.parametrize(("machine", "place"), [("db-2", 0), ("db-3", 1), ("db-4", 2)])
    def test_each_waits_for_its_turn(
        self, make_watched: MakeWatched, machine: str, place: int
    ) -> None:
        watched = make_watched(4, machine)
        others = [
            follower(name, "db-1", suspects_s=SUSPECT_S)
            for name in ("db-2", "db-3", "db-4")
            if name != machine
        ]
        turn = SUSPECT_S + place * NEXT_IN_LINE_S
        lose_the_primary(watched, *others, for_s=turn - 0.5)
        assert watched.failovers == []
        watched.look(for_s=1)
        assert watched.failovers[0] == ["failover", "--by", f"the agent on {machine}"]

    def test_who_is_away_has_no_turn(self, make_watched: MakeWatched) -> None:
        watched = make_watched(5, "db-4")
        others = [follower(name, "db-1", suspects_s=SUSPECT_S) for name in ("db-3", "db-5")]
        lose_the_primary(watched, *others, for_s=SUSPECT_S + NEXT_IN_LINE_S - 0.5)
        assert watched.failovers == []
        watched.look(for_s=1)
        assert watched.failovers


class TestPause:
    def test_after_it_has_acted_it_does_nothing_for_a_while(self, watched: Watched) -> None:
        lose_the_primary(watched, SUSPICIOUS)
        assert len(watched.failovers) == 1
        watched.look(for_s=590)
        assert len(watched.failovers) == 1
        watched.look(for_s=20)
        assert len(watched.failovers) == 2

    def test_pause_of_another_holds_for_all(self, watched: Watched) -> None:
        lose_the_primary(watched, replace(SUSPICIOUS, acted_s=599), for_s=60)
        assert watched.failovers == []
        watched.hear(replace(SUSPICIOUS, acted_s=601))
        watched.look()
        assert len(watched.failovers) == 1

    def test_pause_survives_a_restart_of_the_agent(
        self, make_watched: MakeWatched, clock: Clock
    ) -> None:
        lose_the_primary(make_watched(), SUSPICIOUS)
        again = make_watched()
        lose_the_primary(again, SUSPICIOUS, for_s=60)
        assert again.failovers == []

    def test_pause_of_the_primarys_agent_is_remembered_when_it_dies(self, watched: Watched) -> None:
        """It acted when it was a replica itself."""
        watched.hear(replace(PRIMARY, acted_s=30), WELL)
        watched.look()
        lose_the_primary(watched, SUSPICIOUS, for_s=60)
        assert watched.failovers == []

    def test_failover_that_was_refused_is_tried_again(self, watched: Watched) -> None:
        watched.failover_status = 1
        lose_the_primary(watched, SUSPICIOUS, for_s=60)
        assert len(watched.failovers) > 1
        assert acted_s() == LONG_AGO_S


class TestActed:
    @pytest.fixture(autouse=True)
    def acted(self, monkeypatch: pytest.MonkeyPatch, clock: Clock, tmp_path: Path) -> None:
        monkeypatch.setattr(module, "time", clock)
        monkeypatch.setattr(module, "ACTED", tmp_path / "dbagent" / "acted")

    def test_never_is_long_ago(self) -> None:
        assert acted_s() == LONG_AGO_S

    def test_seconds_are_counted(self, clock: Clock) -> None:
        remember_acting(0)
        clock.sleep(30)
        assert acted_s() == pytest.approx(30)

    def test_the_last_time_counts(self) -> None:
        remember_acting(100)
        remember_acting(200)
        assert acted_s() == pytest.approx(100)
        remember_acting(50)
        assert acted_s() == pytest.approx(50)

    def test_clock_that_was_set_back_makes_no_time_to_come(self, clock: Clock) -> None:
        remember_acting(0)
        clock.now -= 50
        assert acted_s() == 0


class TestStatus:
    def test_word_holds_all_that_peers_read(self, watched: Watched) -> None:
        said = watched.watch.status("db-3")
        known = {name: said[name] for name in Word.__dataclass_fields__}
        assert Word(**known) == replace(
            follower("db-2", "db-1"),
            polled_s=known["polled_s"],
            acted_s=LONG_AGO_S,
        )

    def test_seconds_since_its_source_asked_are_told(self, watched: Watched, clock: Clock) -> None:
        watched.watch.status("db-1")
        clock.sleep(2)
        watched.watch.status("db-3")
        assert watched.watch.status("")["polled_s"] == 2

    def test_source_that_never_asked_did_so_long_ago(self, watched: Watched) -> None:
        watched.watch.status("db-3")
        assert watched.watch.status("")["polled_s"] > 1000

    def test_suspicion_is_told(self, watched: Watched) -> None:
        lose_the_primary(watched, for_s=2)
        assert watched.watch.status("")["suspects_s"] == pytest.approx(2, abs=0.5)

    def test_health_check_shows_what_a_person_wants_to_see(self, watched: Watched) -> None:
        watched.monitor.lag_s = 1.23456
        assert watched.watch.brief() == {
            "name": "db-2",
            "answers": True,
            "read_only": True,
            "source": "192.0.2.1",
            "lag_s": 1.235,
            "error": "",
            "closed_because": "",
        }

    def test_reason_why_its_server_does_not_answer_is_shown(self, watched: Watched) -> None:
        watched.server = dead("db-2")
        brief = watched.watch.brief()
        assert (brief["answers"], brief["error"]) == (False, "no route to host")

    def test_primary_takes_writes(self, watched: Watched) -> None:
        watched.server = primary_of("db-2")
        assert watched.watch.status("")["read_only"] is False
        assert watched.watch.status("")["closed"] is False
