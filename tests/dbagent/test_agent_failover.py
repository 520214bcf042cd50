"""The primary is dead or cut off: who takes over, when that is safe, and what is waited for."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from dbagent import failover as module
from dbagent.config import AgentError
from dbagent.failover import CLOSED_AFTER_S, _is_closed, failover
from dbagent.peers import Word
from dbagent.switchover import Report

from tests.dbagent.conftest import MakeMysqlds
from tests.dbagent.fakes import Clock, config_of, follower, gtids, replica_of, server_of, word_from
from tests.dbagent.mysqlds import GONE, Mysqld, Mysqlds

STOP = "STOP REPLICA IO_THREAD"
FORGET = "RESET REPLICA ALL"
OPEN = "SET GLOBAL read_only = OFF"
LOSSLESS = "SET GLOBAL rpl_semi_sync_source_enabled = ON"
WAIT = "SELECT WAIT_FOR_EXECUTED_GTID_SET"


def run(mysqlds: Mysqlds, *, is_fenced: bool = False) -> Report:
    return failover(mysqlds.config, "a test", is_fenced=is_fenced)


def refusal(mysqlds: Mysqlds) -> AgentError:
    with pytest.raises(AgentError) as caught:
        run(mysqlds)
    return caught.value


def test_replica_takes_the_place_of_a_dead_primary(mysqlds: Mysqlds) -> None:
    mysqlds.kill("db-1")
    report = run(mysqlds)
    assert report.primary == "db-2"
    assert mysqlds.writable == ["db-2"]
    assert mysqlds.followers_of("db-2") == {"db-3"}
    assert "db-1 does not answer; once it does: ./lab db.rejoin db-1" in report.told
    assert mysqlds.write("db-2")


def test_who_has_received_most_takes_over_after_it_has_applied_it(mysqlds: Mysqlds) -> None:
    mysqlds["db-2"].receiver = "OFF"
    mysqlds["db-3"].applies = False
    assert mysqlds.write("db-1")
    mysqlds.kill("db-1")
    mysqlds["db-3"].applies = True
    assert run(mysqlds).primary == "db-3"
    assert mysqlds.acknowledged <= mysqlds["db-3"].executed
    order = mysqlds.order(("db-3", WAIT), ("db-3", FORGET), ("db-3", LOSSLESS), ("db-3", OPEN))
    assert order == sorted(order)


def test_all_stop_receiving_before_one_is_promoted(mysqlds: Mysqlds) -> None:
    mysqlds["db-1"].is_reachable = False
    run(mysqlds)
    order = mysqlds.order(("db-2", STOP), ("db-2", FORGET))
    assert order == sorted(order)
    order = mysqlds.order(("db-3", STOP), ("db-2", FORGET))
    assert order == sorted(order)


def test_primary_that_is_alive_where_nobody_sees_it_acknowledges_nothing_more(
    mysqlds: Mysqlds,
) -> None:
    mysqlds["db-1"].is_reachable = False
    mysqlds.before = lambda server, statement: mysqlds.write_everywhere()
    after = run(mysqlds).primary
    mysqlds.before = lambda server, statement: None
    assert not mysqlds.write("db-1")
    assert mysqlds.write(after)
    assert mysqlds.acknowledged <= mysqlds[after].executed


def test_primary_that_has_closed_itself_follows_the_new_one(mysqlds: Mysqlds) -> None:
    mysqlds["db-1"].read_only = mysqlds["db-1"].super_read_only = True
    run(mysqlds)
    assert mysqlds.writable == ["db-2"]
    assert mysqlds.followers_of("db-2") == {"db-1", "db-3"}


def test_applier_that_gets_nowhere_is_not_promoted_past_what_it_received(
    mysqlds: Mysqlds,
) -> None:
    for name in ("db-2", "db-3"):
        mysqlds[name].applies = False
    mysqlds.write("db-1")
    mysqlds.kill("db-1")
    error = refusal(mysqlds)
    assert error.where == "db-2"
    assert "did not apply within 60 s what it has received; it was not promoted" in error.what
    assert mysqlds.writable == []


class TestRefusals:
    def test_live_primary_is_a_case_for_switchover(self, mysqlds: Mysqlds) -> None:
        error = refusal(mysqlds)
        assert (error.where, mysqlds.changes()) == ("db-1", [])
        assert "takes writes, so there is nothing to fail over" in error.what
        assert "db.switchover" in error.next_step

    @pytest.mark.parametrize(
        ("databases", "dead"),
        [
            (3, ["db-1"]),
            (4, ["db-1"]),
            (5, ["db-1", "db-5"]),
            (6, ["db-1", "db-6"]),
            (7, ["db-1", "db-6", "db-7"]),
        ],
    )
    def test_majority_can_go_on(
        self, databases: int, dead: list[str], make_mysqlds: MakeMysqlds
    ) -> None:
        mysqlds = make_mysqlds(databases)
        for name in dead:
            mysqlds.kill(name)
        assert run(mysqlds).primary == "db-2"
        assert mysqlds.write("db-2")

    @pytest.mark.parametrize(
        ("databases", "dead"),
        [
            (3, ["db-1", "db-3"]),
            (4, ["db-1", "db-4"]),
            (5, ["db-1", "db-4", "db-5"]),
            (7, ["db-1", "db-5", "db-6", "db-7"]),
        ],
    )
    def test_minority_is_refused_and_nothing_is_changed(
        self, databases: int, dead: list[str], make_mysqlds: MakeMysqlds
    ) -> None:
        mysqlds = make_mysqlds(databases)
        for name in dead:
            mysqlds.kill(name)
        assert "too few of them answer" in refusal(mysqlds).what
        assert mysqlds.changes() == []

    def test_of_two_servers_the_last_one_waits_for_somebody_to_acknowledge(
        self, make_mysqlds: MakeMysqlds
    ) -> None:
        mysqlds = make_mysqlds(2)
        mysqlds.kill("db-1")
        assert "db-2: is primary, but too few replicas" in str(refusal(mysqlds))
        assert not mysqlds.write("db-2")

    def test_refusal_names_those_that_could_still_acknowledge(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-1"].read_only = mysqlds["db-1"].super_read_only = True
        mysqlds.kill("db-3")
        error = refusal(mysqlds)
        assert error.what == (
            "1 of 2 replicas answer (db-3 does not): db-1 could still acknowledge writes through"
            " the rest; nothing was changed"
        )
        assert error.next_step == "./lab db.switchover --to db-1 opens it again"
        assert mysqlds.changes() == []

    def test_two_that_take_writes_are_refused(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-3"].read_only = mysqlds["db-3"].super_read_only = False
        mysqlds["db-3"].source = ""
        assert "split brain" in refusal(mysqlds).what
        assert mysqlds.changes() == []

    def test_replicas_that_went_apart_are_refused(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-2"].executed = gtids("db-1:1-9", "db-2:1")
        mysqlds["db-3"].executed = gtids("db-1:1-9", "db-3:1")
        mysqlds.kill("db-1")
        assert "each has transactions that another lacks" in refusal(mysqlds).what
        assert mysqlds.writable == []


def deaf(name: str) -> Callable[[Mysqld, str], None]:
    """Let this server not take the word that it is to stop receiving."""

    def before(server: Mysqld, statement: str) -> None:
        if (server.name, statement) == (name, STOP):
            raise GONE

    return before


class TestMachinesThatAreOff:
    """Whoever runs the command can't reach them; that alone makes nobody replace a primary."""

    @staticmethod
    def _run(mysqlds: Mysqlds, *off: str) -> Report:
        return failover(replace(mysqlds.config, off=frozenset(off)), "a test")

    def test_primary_on_one_of_them_is_replaced(self, mysqlds: Mysqlds) -> None:
        mysqlds.kill("db-1")
        assert self._run(mysqlds, "db-1").primary == "db-2"

    def test_primary_on_another_is_to_be_closed_first(self, make_mysqlds: MakeMysqlds) -> None:
        mysqlds = make_mysqlds(5)
        mysqlds.kill("db-1", agent=False)
        mysqlds.kill("db-5")
        assert self._run(mysqlds, "db-5") == Report("", [])
        assert mysqlds.changes() == []

    def test_nobody_is_replaced_where_the_primary_is_not_known(self, mysqlds: Mysqlds) -> None:
        for name in ("db-2", "db-3"):
            mysqlds[name].source, mysqlds[name].receiver = "", "OFF"
        mysqlds.kill("db-1")
        assert self._run(mysqlds, "db-1") == Report("", [])
        assert mysqlds.changes() == []

    def test_one_that_takes_writes_is_left_alone(self, mysqlds: Mysqlds) -> None:
        with pytest.raises(AgentError, match="takes writes, so there is nothing to fail over"):
            self._run(mysqlds, "db-1")
        assert mysqlds.changes() == []

    def test_one_that_is_alive_all_the_same_acknowledges_nothing_more(
        self, mysqlds: Mysqlds
    ) -> None:
        mysqlds["db-1"].is_reachable = False
        mysqlds.before = lambda server, statement: mysqlds.write_everywhere()
        after = self._run(mysqlds, "db-1").primary
        mysqlds.before = lambda server, statement: None
        assert not mysqlds.write("db-1")
        assert mysqlds.acknowledged <= mysqlds[after].executed


class TestClaim:
    """A replica that can't be told to stop receiving could still acknowledge."""

    def test_one_that_is_needed_ends_the_failover(self, mysqlds: Mysqlds) -> None:
        mysqlds.kill("db-1")
        mysqlds.before = deaf("db-3")
        error = refusal(mysqlds)
        assert error.where == "db-3"
        assert "could not be told to stop receiving: (2013" in error.what
        assert mysqlds.writable == []

    def test_one_that_is_not_needed_is_left_and_follows_in_the_end(
        self, make_mysqlds: MakeMysqlds
    ) -> None:
        mysqlds = make_mysqlds(5)
        mysqlds.kill("db-1")
        mysqlds.before = deaf("db-5")
        run(mysqlds)
        assert mysqlds.writable == ["db-2"]
        assert mysqlds.followers_of("db-2") == {"db-3", "db-4", "db-5"}

    def test_one_that_receives_on_is_neither_promoted_nor_followed_blindly(
        self, make_mysqlds: MakeMysqlds
    ) -> None:
        """What it alone receives meanwhile was never acknowledged, and is not to be hidden."""
        mysqlds = make_mysqlds(5)
        mysqlds["db-1"].is_reachable = False
        stop = deaf("db-5")

        def before(server: Mysqld, statement: str) -> None:
            if statement == FORGET:
                # One more arrives there, when the others have been compared already.
                mysqlds.write("db-1")
            stop(server, statement)

        mysqlds.before = before
        report = run(mysqlds)
        assert mysqlds.acknowledged <= mysqlds[report.primary].executed
        assert any(each.startswith("db-5 has 1 transactions of its own") for each in report.told)
        assert "db-5" not in mysqlds.followers_of(report.primary)


class TestCutOff:
    """A failover that was cut off is completed by the next one."""

    @pytest.mark.parametrize("statement", [FORGET, LOSSLESS, OPEN])
    def test_connection_that_breaks_is_made_once_more(
        self, mysqlds: Mysqlds, statement: str
    ) -> None:
        mysqlds.kill("db-1")
        broken: list[str] = []

        def before(server: Mysqld, said: str) -> None:
            if said == statement and not broken:
                broken.append(server.name)
                raise GONE

        mysqlds.before = before
        assert run(mysqlds).primary == "db-2"
        assert broken == ["db-2"]
        assert mysqlds.writable == ["db-2"]
        assert mysqlds.followers_of("db-2") == {"db-3"}

    def test_connections_that_break_again_end_it(self, mysqlds: Mysqlds) -> None:
        mysqlds.kill("db-1")

        def before(server: Mysqld, said: str) -> None:
            if said == FORGET:
                raise GONE

        mysqlds.before = before
        with pytest.raises(type(GONE)):
            run(mysqlds)
        assert mysqlds.writable == []

    def test_followers_that_were_not_told_follow(self, mysqlds: Mysqlds) -> None:
        mysqlds.kill("db-1")
        run(mysqlds)
        mysqlds["db-3"].source = mysqlds["db-1"].address
        report = run(mysqlds)
        assert report.primary == "db-2"
        assert mysqlds.followers_of("db-2") == {"db-3"}

    def test_follower_that_was_stopped_and_not_started_is_started(self, mysqlds: Mysqlds) -> None:
        mysqlds.kill("db-1")
        run(mysqlds)
        mysqlds["db-3"].receiver = mysqlds["db-3"].applier = "OFF"
        assert "db-3 follows db-2" in run(mysqlds).told
        assert mysqlds.followers_of("db-2") == {"db-3"}

    def test_with_nothing_left_to_do_it_says_so(self, mysqlds: Mysqlds) -> None:
        mysqlds.kill("db-1")
        run(mysqlds)
        error = refusal(mysqlds)
        assert (error.where, "nothing to fail over" in error.what) == ("db-2", True)


class TestEarlierPrimary:
    """One that came back is closed, follows nobody, and may have commits nobody acknowledged."""

    @pytest.fixture
    def mysqlds(self, make_mysqlds: MakeMysqlds) -> Mysqlds:
        """db-1 is back after a failover to db-2, which has died since."""
        mysqlds = make_mysqlds(5)
        mysqlds.kill("db-1")
        run(mysqlds)
        assert mysqlds.write("db-2")
        mysqlds.boot("db-1")
        mysqlds.kill("db-2")
        return mysqlds

    def test_one_without_any_follows_the_new_primary(self, mysqlds: Mysqlds) -> None:
        assert run(mysqlds).primary == "db-3"
        assert mysqlds.acknowledged <= mysqlds["db-3"].executed
        assert mysqlds.followers_of("db-3") == {"db-1", "db-4", "db-5"}

    def test_one_with_such_commits_is_left_to_rejoin(self, mysqlds: Mysqlds) -> None:
        own = gtids("db-1:10-12")
        mysqlds["db-1"].executed = gtids("db-1:1-12")
        report = run(mysqlds)
        assert report.primary == "db-3"
        assert mysqlds.followers_of("db-3") == {"db-4", "db-5"}
        told = f"db-1 has 3 transactions of its own ({own}): ./lab db.rejoin db-1"
        assert told in report.told

    def test_one_with_commits_of_others_that_nobody_else_has_ends_it(
        self, mysqlds: Mysqlds
    ) -> None:
        mysqlds["db-1"].executed = gtids("db-1:1-12", "db-4:1")
        assert "each has transactions that another lacks" in refusal(mysqlds).what
        assert mysqlds.writable == []


def test_replica_that_was_restarted_in_between_is_no_survivor_any_more(mysqlds: Mysqlds) -> None:
    """It receives again, and may acknowledge a write that the promoted one lacks."""
    mysqlds["db-1"].is_reachable = False

    def before(server: Mysqld, statement: str) -> None:
        if statement.startswith(WAIT):
            mysqlds["db-3"].receiver = "ON"
            mysqlds.write("db-1")

    mysqlds.before = before
    assert "too few replicas are left" in refusal(mysqlds).what
    assert mysqlds.writable == ["db-1"]


def test_lock_that_was_lost_ends_it_before_the_promotion(mysqlds: Mysqlds) -> None:
    mysqlds.kill("db-1")

    def before(server: Mysqld, statement: str) -> None:
        if statement.startswith(WAIT):
            mysqlds["db-3"].lock = None

    mysqlds.before = before
    assert "too few of them answer now to be sure" in refusal(mysqlds).what
    assert mysqlds.writable == []


def test_lock_that_was_lost_once_is_taken_once_more(mysqlds: Mysqlds) -> None:
    mysqlds.kill("db-1")
    waited: list[str] = []

    def before(server: Mysqld, statement: str) -> None:
        if statement.startswith(WAIT) and not waited:
            mysqlds["db-3"].lock = None
            waited.append(server.name)

    mysqlds.before = before
    assert run(mysqlds).primary == "db-2"
    assert waited


def test_applier_that_was_stopped_is_started_to_apply_what_was_received(mysqlds: Mysqlds) -> None:
    mysqlds["db-3"].receiver = "OFF"
    mysqlds["db-2"].applier = "OFF"
    assert mysqlds.write("db-1")
    mysqlds.kill("db-1")
    assert run(mysqlds).primary == "db-2"
    assert mysqlds.acknowledged <= mysqlds["db-2"].executed


OLD = server_of("db-1")
SURVIVORS = [replica_of(name, "db-1") for name in ("db-2", "db-3")]


@pytest.mark.parametrize(
    ("words", "is_closed"),
    [
        ([word_from("db-1", closed=True)], True),
        ([word_from("db-1", closed=False)], False),
        ([word_from("db-1", closed=False), follower("db-2", "db-1", polled_s=99)], False),
        ([follower(name, "db-1", polled_s=CLOSED_AFTER_S) for name in ("db-2", "db-3")], True),
        (
            [
                follower("db-2", "db-1", polled_s=CLOSED_AFTER_S),
                follower("db-3", "db-1", polled_s=CLOSED_AFTER_S - 0.1),
            ],
            False,
        ),
        ([follower("db-2", "db-1", polled_s=99)], True),
        ([], False),
    ],
    ids=[
        "its agent says so",
        "its agent says that it is not",
        "its agent counts more than the survivors'",
        "it asked nobody for long enough",
        "it asked one of them just now",
        "it asked the only one that can be asked long ago",
        "nobody can be asked",
    ],
)
def test_old_primary_is_closed_if_it_says_so_or_has_asked_nobody_for_long(
    words: list[Word], is_closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {word.name: word for word in words}
    monkeypatch.setattr(module, "words", lambda config, peers: said)
    assert _is_closed(config_of(3), OLD, SURVIVORS) == is_closed


class TestAwaitingItsEnd:
    """An old primary is given the time to close itself; it is no condition, since data are safe."""

    def test_one_that_still_asks_its_replicas_is_waited_for(
        self, mysqlds: Mysqlds, clock: Clock
    ) -> None:
        mysqlds["db-1"].is_reachable = False
        began = clock.now
        run(mysqlds)
        assert clock.now - began >= CLOSED_AFTER_S
        assert mysqlds.writable == ["db-1", "db-2"]

    def test_one_whose_end_is_known_is_not_waited_for(self, mysqlds: Mysqlds, clock: Clock) -> None:
        mysqlds["db-1"].is_reachable = False
        began = clock.now
        run(mysqlds, is_fenced=True)
        assert clock.now - began < 1

    def test_dead_one_is_not_waited_for(self, mysqlds: Mysqlds, clock: Clock) -> None:
        mysqlds.kill("db-1", agent=False)
        began = clock.now
        run(mysqlds)
        assert clock.now - began < 1
