"""A primary that is alone, full or hanging closes itself, and opens again when that is over."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from dbagent import watch as module
from dbagent.fencing import UNKNOWN
from dbagent.watch import CLOSE_AFTER_S, GONE_S, HUNG_S, LEAST_ROOM_B

from tests.dbagent.fakes import Clock, dead, follower, primary_of, replica_of, server_of
from tests.dbagent.watching import Watched, install

FOLLOWED = (follower("db-2", "db-1"), follower("db-3", "db-1"))
OPEN = primary_of("db-1")
CLOSED = replace(OPEN, read_only=True, super_read_only=True)
RESTARTED = server_of("db-1")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, clock: Clock, tmp_path: Path) -> Watched:
    """db-1 of three, which takes writes and is followed."""
    watched = install(monkeypatch, clock, tmp_path, 3)
    watched.server = OPEN
    watched.hear(*FOLLOWED)
    watched.look()
    return watched


def test_primary_that_is_followed_is_left_alone(watched: Watched) -> None:
    watched.look(for_s=60)
    assert (watched.fenced, watched.opened) == (0, [])


def test_one_follower_of_two_is_enough_for_a_write(watched: Watched) -> None:
    watched.hear(follower("db-3", "db-1"))
    watched.look(for_s=60)
    assert watched.fenced == 0


@pytest.mark.parametrize(
    "words",
    [
        [],
        [replace(each, receiver="CONNECTING") for each in FOLLOWED],
        [replace(each, receiver="OFF") for each in FOLLOWED],
        [follower("db-2", "db-3"), follower("db-3", "db-2")],
    ],
    ids=["cut off", "they have lost it", "they have stopped", "they follow another"],
)
def test_primary_that_is_alone_closes_itself_after_a_while(
    watched: Watched, words: list[object]
) -> None:
    watched.hear(*words)  # type: ignore[arg-type]
    watched.look(for_s=CLOSE_AFTER_S - 0.5)
    assert watched.fenced == 0
    watched.look(for_s=1)
    assert watched.fenced == 1
    assert watched.watch.brief()["closed_because"] == "fewer than 1 replicas follow it"


def test_of_five_two_have_to_follow(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, tmp_path: Path
) -> None:
    watched = install(monkeypatch, clock, tmp_path, 5)
    watched.server = OPEN
    watched.hear(follower("db-5", "db-1"))
    watched.look(for_s=CLOSE_AFTER_S + 1)
    assert watched.watch.brief()["closed_because"] == "fewer than 2 replicas follow it"


def test_short_silence_is_forgiven(watched: Watched) -> None:
    for _ in range(20):
        watched.hear()
        watched.look(for_s=CLOSE_AFTER_S - 0.4)
        watched.hear(*FOLLOWED)
        watched.look(for_s=0.3)
    assert watched.fenced == 0


def test_one_bad_look_after_a_stall_is_forgiven_and_a_second_is_not(
    watched: Watched, clock: Clock
) -> None:
    clock.sleep(CLOSE_AFTER_S + 1)
    watched.hear()
    watched.look()
    assert watched.fenced == 0
    watched.look()
    assert watched.fenced == 1


def test_full_disk_closes_it_before_it_hangs(watched: Watched) -> None:
    watched.room_b = LEAST_ROOM_B - 1
    watched.look(for_s=CLOSE_AFTER_S + 0.5)
    assert watched.fenced == 1
    assert watched.watch.brief()["closed_because"] == "its disk is full (/var/lib/mysql)"


class TestOpensAgain:
    @pytest.fixture(autouse=True)
    def closed(self, watched: Watched) -> None:
        watched.hear()
        watched.look(for_s=CLOSE_AFTER_S + 0.5)
        assert watched.server == CLOSED
        assert (watched.fenced, watched.opened) == (1, [])

    def test_once_it_is_followed_again(self, watched: Watched) -> None:
        watched.hear(FOLLOWED[0])
        watched.look()
        assert watched.opened == ["the agent on db-1"]
        assert watched.watch.brief()["closed_because"] == ""

    def test_not_while_nobody_follows_it(self, watched: Watched) -> None:
        watched.look(for_s=60)
        assert watched.opened == []

    def test_not_while_it_has_another_trouble(self, watched: Watched) -> None:
        watched.hear(*FOLLOWED)
        watched.room_b = 0
        watched.look(for_s=60)
        assert watched.opened == []

    def test_not_where_others_have_gone_on_without_it(self, watched: Watched) -> None:
        watched.hear(follower("db-2", "db-3"))
        watched.look(for_s=60)
        assert watched.opened == []

    def test_after_a_restart_that_closing_took(self, watched: Watched) -> None:
        watched.server = RESTARTED
        watched.process = 200
        watched.hear(*FOLLOWED)
        watched.look()
        assert watched.opened == ["the agent on db-1"]

    def test_it_tries_again_where_it_may_not_yet(
        self, watched: Watched, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched.hear(*FOLLOWED)
        watched.refuses_to_open = "another operation is under way"
        with caplog.at_level(logging.WARNING):
            watched.look()
        assert "not opened again: db-1: was not opened" in caplog.text
        assert watched.watch.brief()["closed_because"]
        watched.refuses_to_open = ""
        watched.look()
        assert watched.opened == ["the agent on db-1"]

    def test_never_what_follows_another_by_now(self, watched: Watched) -> None:
        watched.server = replica_of("db-1", "db-2")
        watched.look()
        watched.server = CLOSED
        watched.hear(*FOLLOWED)
        watched.look(for_s=60)
        assert watched.opened == []

    def test_never_what_somebody_else_has_opened(self, watched: Watched) -> None:
        """Provisioning opens a primary without replicas, and closes nothing."""
        watched.server = replace(OPEN, semi_sync_source=False)
        watched.look(for_s=60)
        assert (watched.fenced, watched.opened) == (1, [])
        assert watched.watch.brief()["closed_because"] == ""


def test_what_was_closed_on_purpose_stays_closed(watched: Watched) -> None:
    watched.server = CLOSED
    watched.look(for_s=60)
    assert (watched.fenced, watched.opened) == (0, [])


def test_primary_without_semi_sync_is_not_watched(watched: Watched) -> None:
    """It has no replicas, or none yet."""
    watched.server = replace(OPEN, semi_sync_source=False)
    watched.hear()
    watched.look(for_s=60)
    assert watched.fenced == 0


class TestHanging:
    """A primary that does not answer could wake up when another has taken its place."""

    def test_one_that_hangs_is_killed(self, watched: Watched) -> None:
        watched.server = dead("db-1")
        watched.look(for_s=HUNG_S - 0.5)
        assert watched.fenced == 0
        watched.look(for_s=1)
        assert watched.fenced == 1
        assert watched.watch.brief()["closed_because"] == "it did not answer"

    def test_one_that_is_starting_anew_is_given_its_time(self, watched: Watched) -> None:
        watched.server = dead("db-1")
        watched.process = 200
        watched.look(for_s=60)
        assert watched.fenced == 0

    def test_replica_that_hangs_is_left_alone(self, watched: Watched) -> None:
        watched.server = replica_of("db-1", "db-2")
        watched.look()
        watched.server = dead("db-1")
        watched.look(for_s=60)
        assert watched.fenced == 0

    def test_one_that_was_restarted_before_is_killed_too(self, watched: Watched) -> None:
        watched.server, watched.process = RESTARTED, 200
        watched.look()
        watched.server = OPEN
        watched.look()
        watched.server = dead("db-1")
        watched.look(for_s=HUNG_S + 1)
        assert watched.fenced == 1

    def test_it_opens_again_after_its_restart(self, watched: Watched) -> None:
        watched.server = dead("db-1")
        watched.look(for_s=HUNG_S + 0.5)
        watched.server, watched.process = RESTARTED, 200
        watched.look()
        assert watched.opened == ["the agent on db-1"]


def test_patient_primary_waits_longer_before_it_closes(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, tmp_path: Path
) -> None:
    watched = install(monkeypatch, clock, tmp_path, 3, patience=6)
    watched.server = OPEN
    watched.look()
    watched.look(for_s=6 * CLOSE_AFTER_S - 1)
    assert watched.fenced == 0
    watched.look(for_s=2)
    assert watched.fenced == 1


class TestIsClosed:
    """What a primary tells its peers: whether it takes no writes, and won't when it wakes up."""

    def is_closed(self, watched: Watched) -> bool:
        watched.look()
        return bool(watched.watch.status("db-2")["closed"])

    def test_server_that_answers_says_so(self, watched: Watched) -> None:
        assert not self.is_closed(watched)
        watched.server = CLOSED
        assert self.is_closed(watched)

    @pytest.mark.parametrize(("process", "is_closed"), [(100, False), (0, True), (UNKNOWN, False)])
    def test_server_that_does_not_answer_is_closed_if_it_does_not_run(
        self, watched: Watched, process: int, is_closed: bool
    ) -> None:
        watched.server, watched.process = dead("db-1"), process
        assert self.is_closed(watched) == is_closed

    def test_that_it_did_not_run_counts_for_a_moment(self, watched: Watched, clock: Clock) -> None:
        """It may have been started since."""
        watched.server, watched.process = dead("db-1"), 0
        assert self.is_closed(watched)
        clock.sleep(GONE_S + 0.1)
        assert not watched.watch.status("db-2")["closed"]

    def test_question_of_a_peer_starts_no_program(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or a machine that is too busy to answer would get busier with each of them."""
        watched.server = dead("db-1")
        watched.look()
        monkeypatch.setattr(module, "process", lambda: pytest.fail("systemd was asked"))
        assert not watched.watch.status("db-2")["closed"]


def test_hanging_server_is_not_killed_while_systemd_says_nothing(watched: Watched) -> None:
    watched.look()
    watched.server, watched.process = dead("db-1"), UNKNOWN
    watched.look(for_s=HUNG_S + 2)
    assert watched.fenced == 0
