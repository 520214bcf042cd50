"""A planned change of the primary: refused with a reason, undone where it fails, or done."""

from collections.abc import Callable

import pytest
from dbagent.config import AgentError
from dbagent.switchover import LONGEST_BACKLOG, Report, series, switchover

from tests.dbagent.conftest import MakeMysqlds
from tests.dbagent.fakes import gtids
from tests.dbagent.mysqlds import GONE, Mysqld, Mysqlds

CLOSE = "SET GLOBAL super_read_only = ON"
OPEN = "SET GLOBAL read_only = OFF"
LOSSLESS = "SET GLOBAL rpl_semi_sync_source_enabled = ON"
WAIT = "SELECT WAIT_FOR_EXECUTED_GTID_SET"
FORGET = "RESET REPLICA ALL"
FOLLOW = "CHANGE REPLICATION SOURCE TO"


def run(mysqlds: Mysqlds, to: str | None = None) -> Report:
    return switchover(mysqlds.config, to, "a test")


def refusal(mysqlds: Mysqlds, to: str | None = None) -> AgentError:
    with pytest.raises(AgentError) as caught:
        run(mysqlds, to)
    return caught.value


def failing(name: str, beginning: str, error: Exception = GONE) -> Callable[[Mysqld, str], None]:
    """Let the first statement that begins so fail on this server."""
    left = [error]

    def before(server: Mysqld, statement: str) -> None:
        if left and server.name == name and statement.startswith(beginning):
            raise left.pop()

    return before


def test_best_replica_becomes_primary_and_all_others_follow_it(mysqlds: Mysqlds) -> None:
    report = run(mysqlds)
    assert report.primary == "db-2"
    assert report.pause_s is not None
    assert mysqlds.writable == ["db-2"]
    assert mysqlds.followers_of("db-2") == {"db-1", "db-3"}
    assert mysqlds.write("db-2")


def test_named_server_becomes_primary(mysqlds: Mysqlds) -> None:
    assert run(mysqlds, "db-3").primary == "db-3"
    assert mysqlds.followers_of("db-3") == {"db-1", "db-2"}


def test_old_one_is_closed_before_the_new_one_is_open_and_has_applied_all(mysqlds: Mysqlds) -> None:
    run(mysqlds, "db-2")
    order = mysqlds.order(
        ("db-1", CLOSE),
        ("db-2", WAIT),
        ("db-2", FORGET),
        ("db-2", LOSSLESS),
        ("db-2", OPEN),
        ("db-1", FOLLOW),
    )
    assert order == sorted(order)


def test_two_take_writes_at_no_time(mysqlds: Mysqlds) -> None:
    most: list[int] = []
    mysqlds.before = lambda server, statement: most.append(len(mysqlds.writable))
    run(mysqlds)
    assert set(most) == {0, 1}


def test_write_of_the_last_moment_goes_over(mysqlds: Mysqlds) -> None:
    mysqlds["db-2"].applies = False

    def before(server: Mysqld, statement: str) -> None:
        if statement == CLOSE:
            mysqlds.write_everywhere()
        server.applies = server.applies or statement.startswith(WAIT)

    mysqlds.before = before
    run(mysqlds, "db-2")
    assert gtids("db-1:10") <= mysqlds.acknowledged
    assert mysqlds.acknowledged <= mysqlds["db-2"].executed


def test_primary_itself_needs_nothing(mysqlds: Mysqlds) -> None:
    report = run(mysqlds, "db-1")
    assert (report.primary, report.told, report.pause_s) == ("db-1", ["db-1 is the primary"], None)
    assert mysqlds.changes() == []


def test_unknown_name_is_told_with_the_known_ones(mysqlds: Mysqlds) -> None:
    assert "pick one of db-1, db-2, db-3" in refusal(mysqlds, "db-9").next_step
    assert mysqlds.writable == ["db-1"]


class TestReasons:
    """Whatever is in the way is told before anything is changed."""

    @pytest.mark.parametrize(
        ("facts", "reason"),
        [
            ({"executed": gtids("db-1:1-9", "db-2:1-2")}, "2 transactions that db-1 lacks"),
            ({"source": ""}, "it does not follow db-1"),
            ({"receiver": "CONNECTING"}, r"it does not replicate \(error connecting\)"),
            ({"applier": "OFF"}, r"it does not replicate \(its threads are stopped\)"),
            ({"executed": gtids("db-9:1")}, "1 transactions that db-1 lacks"),
            ({"version": "10.0.1"}, "db-3 has an older MySQL and can't follow it"),
            ({"is_alive": False}, "it does not answer"),
        ],
    )
    def test_candidate_that_can_not_take_over_is_refused(
        self, mysqlds: Mysqlds, facts: dict[str, object], reason: str
    ) -> None:
        for name, value in facts.items():
            setattr(mysqlds["db-2"], name, value)
        with pytest.raises(AgentError, match=f"db-2: can't take over from db-1: .*{reason}") as e:
            run(mysqlds, "db-2")
        assert "nothing was changed" in e.value.what
        assert "--to" in e.value.next_step
        assert mysqlds.changes() == []
        assert mysqlds.writable == ["db-1"]

    def test_candidate_that_is_far_behind_is_refused(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-1"].executed = gtids(f"db-1:1-{LONGEST_BACKLOG + 10}")
        told = refusal(mysqlds, "db-2").what
        assert f"it lacks {LONGEST_BACKLOG + 1} transactions, which would hold writers up" in told

    def test_several_reasons_are_told_at_once(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-2"].executed = gtids("db-1:1-9", "db-2:1")
        mysqlds["db-2"].applier = "OFF"
        told = refusal(mysqlds, "db-2").what
        assert "lacks" in told
        assert "threads are stopped" in told

    def test_too_few_that_could_follow_are_a_reason(self, make_mysqlds: MakeMysqlds) -> None:
        mysqlds = make_mysqlds(4)
        for name in ("db-3", "db-4"):
            mysqlds.kill(name)
        # Only db-1 could follow, and a write needs two.
        with pytest.raises(AgentError):
            run(mysqlds, "db-2")
        assert mysqlds.changes() == []

    def test_follower_with_transactions_of_its_own_could_not_follow(
        self, make_mysqlds: MakeMysqlds
    ) -> None:
        mysqlds = make_mysqlds(4)
        for name in ("db-3", "db-4"):
            mysqlds[name].executed = gtids("db-1:1-9", f"{name}:1")
        assert "too few other servers could follow it" in refusal(mysqlds, "db-2").what

    def test_where_nobody_can_take_over_each_is_named_with_its_reason(
        self, mysqlds: Mysqlds
    ) -> None:
        mysqlds["db-2"].executed = gtids("db-1:1-9", "db-2:1")
        mysqlds["db-3"].version = "10.0.0"
        told = refusal(mysqlds).what
        assert told.startswith("none can be promoted: ")
        assert "db-2: it has 1 transactions that db-1 lacks" in told
        assert "db-3: db-1 has an older MySQL" in told
        assert mysqlds.changes() == []

    def test_best_is_taken_and_the_unfit_left(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-2"].applier = "OFF"
        assert run(mysqlds).primary == "db-3"

    def test_dead_primary_is_a_case_for_failover(self, mysqlds: Mysqlds) -> None:
        mysqlds.kill("db-1")
        error = refusal(mysqlds)
        assert (error.where, error.next_step) == ("db-1", "./lab db.failover")
        assert mysqlds.changes() == []


class TestUndo:
    """Whatever fails before the promotion, writes go on where they were."""

    def test_commits_that_do_not_end_keep_the_primary(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-1"].hanging = gtids("db-1:10")
        error = refusal(mysqlds)
        assert error.where == "db-1"
        assert "commits that did not end within 2 s" in error.what
        assert "Lock wait timeout" in error.what
        assert mysqlds.writable == ["db-1"]
        assert mysqlds.changes("db-2") == mysqlds.changes("db-3") == []

    def test_closing_that_is_cut_off_is_undone_over_another_connection(
        self, mysqlds: Mysqlds
    ) -> None:
        def before(server: Mysqld, statement: str) -> None:
            if server.name == "db-1" and statement == CLOSE:
                server.read_only = server.super_read_only = True
                raise GONE

        mysqlds.before = before
        assert "writes go on there" in refusal(mysqlds).what
        assert mysqlds.writable == ["db-1"]

    def test_candidate_that_does_not_catch_up_is_not_promoted(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-2"].applies = False
        mysqlds.write("db-1")
        error = refusal(mysqlds, "db-2")
        assert error.where == "db-2"
        assert "was not promoted, and writes go on at db-1" in error.what
        assert "did not apply everything within 5 s" in error.what
        assert mysqlds.writable == ["db-1"]
        assert mysqlds.changes("db-2") == []
        order = mysqlds.order(("db-1", CLOSE), ("db-1", LOSSLESS), ("db-1", OPEN))
        assert order == sorted(order)

    def test_candidate_that_dies_while_it_catches_up_is_not_promoted(
        self, mysqlds: Mysqlds
    ) -> None:
        def before(server: Mysqld, statement: str) -> None:
            if not mysqlds.writable and mysqlds["db-2"].is_alive:
                mysqlds.kill("db-2")

        mysqlds.before = before
        assert "writes go on at db-1" in refusal(mysqlds, "db-2").what
        assert mysqlds.writable == ["db-1"]
        assert mysqlds.followers_of("db-1") == {"db-3"}

    def test_candidate_that_loses_its_connection_is_not_promoted(self, mysqlds: Mysqlds) -> None:
        mysqlds.before = failing("db-2", WAIT)
        assert "Lost connection" in refusal(mysqlds, "db-2").what
        assert mysqlds.writable == ["db-1"]
        assert mysqlds.followers_of("db-1") == {"db-2", "db-3"}

    def test_session_that_still_tries_to_close_is_ended_first(self, mysqlds: Mysqlds) -> None:
        """Else it could close the server when everybody believes that writes go on."""
        mysqlds["db-1"].hanging = gtids("db-1:10")
        refusal(mysqlds)
        order = mysqlds.order(("db-1", "KILL"), ("db-1", OPEN))
        assert order == sorted(order)

    def test_lock_that_was_lost_ends_it_before_the_promotion(self, mysqlds: Mysqlds) -> None:
        def before(server: Mysqld, statement: str) -> None:
            if statement.startswith(WAIT):
                mysqlds["db-1"].lock = mysqlds["db-3"].lock = None

        mysqlds.before = before
        assert "too few of them answer now to be sure" in refusal(mysqlds, "db-2").what
        assert mysqlds.writable == ["db-1"]
        assert mysqlds.changes("db-2") == []

    def test_primary_that_somebody_opens_in_between_stays(self, mysqlds: Mysqlds) -> None:
        def before(server: Mysqld, statement: str) -> None:
            if mysqlds.changes("db-1") == [CLOSE]:
                mysqlds["db-1"].read_only = mysqlds["db-1"].super_read_only = False

        mysqlds.before = before
        assert "was opened to writes again by somebody else" in refusal(mysqlds, "db-2").what
        assert mysqlds.writable == ["db-1"]

    def test_locks_are_given_back(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-1"].hanging = gtids("db-1:10")
        refusal(mysqlds)
        assert [each.lock for each in mysqlds.servers.values()] == [None] * 3


class TestCutOff:
    """What an operation that was killed leaves, the next one puts right."""

    def test_closed_primary_that_is_still_followed_is_opened_first(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-1"].read_only = mysqlds["db-1"].super_read_only = True
        report = run(mysqlds, "db-1")
        assert report.told[0] == "db-1 was closed to writes, and is open again"
        assert mysqlds.writable == ["db-1"]

    def test_closed_primary_is_opened_losslessly(self, mysqlds: Mysqlds) -> None:
        """It may have been restarted since."""
        mysqlds.kill("db-1")
        mysqlds.boot("db-1")
        for name in ("db-2", "db-3"):
            mysqlds.connect(mysqlds[name])
        run(mysqlds, "db-1")
        order = mysqlds.order(("db-1", LOSSLESS), ("db-1", OPEN))
        assert order == sorted(order)

    def test_primary_that_lacks_what_a_replica_has_is_not_opened(self, mysqlds: Mysqlds) -> None:
        first = mysqlds["db-1"]
        first.read_only = first.super_read_only = True
        first.executed = gtids("db-1:1-5")
        error = refusal(mysqlds)
        assert "lacks transactions that db-2, db-3 has" in error.what
        assert "./lab db.failover" in error.next_step
        assert mysqlds.writable == []

    @pytest.mark.parametrize("left", ["following nobody", "stopped"])
    def test_new_primary_that_too_few_follow_gets_its_followers_first(
        self, mysqlds: Mysqlds, left: str
    ) -> None:
        """Its writers would wait for them, so that it could not even be closed."""
        for name in ("db-2", "db-3"):
            mysqlds[name].receiver = mysqlds[name].applier = "OFF"
            mysqlds[name].source = "" if left == "following nobody" else mysqlds["db-1"].address
        mysqlds.write("db-1")
        assert run(mysqlds, "db-2").primary == "db-2"
        assert mysqlds.followers_of("db-2") == {"db-1", "db-3"}

    def test_where_nobody_follows_anybody_who_has_all_is_the_primary(
        self, mysqlds: Mysqlds
    ) -> None:
        for server in mysqlds.servers.values():
            server.read_only = server.super_read_only = True
            server.source = ""
        mysqlds["db-3"].executed = gtids("db-1:1-12")
        assert run(mysqlds, "db-3").told[0] == "db-3 was closed to writes, and is open again"
        assert mysqlds.followers_of("db-3") == {"db-1", "db-2"}

    def test_replica_that_was_left_behind_follows_in_the_end(self, mysqlds: Mysqlds) -> None:
        mysqlds["db-3"].receiver = mysqlds["db-3"].applier = "OFF"
        report = run(mysqlds, "db-1")
        assert report.told == ["db-1 is the primary", "db-3 follows db-1"]
        assert mysqlds.followers_of("db-1") == {"db-2", "db-3"}


class TestTold:
    """Who does not follow in the end is named, with what to do."""

    def test_dead_replica_is_to_rejoin(self, make_mysqlds: MakeMysqlds) -> None:
        mysqlds = make_mysqlds(4)
        mysqlds.kill("db-4")
        told = run(mysqlds, "db-2").told
        assert "db-4 does not answer; once it does: ./lab db.rejoin db-4" in told

    def test_server_with_transactions_of_its_own_is_left_alone(
        self, make_mysqlds: MakeMysqlds
    ) -> None:
        mysqlds = make_mysqlds(4)
        stray = mysqlds["db-4"]
        stray.source, stray.receiver, stray.applier = "", "OFF", "OFF"
        stray.executed = gtids("db-1:1-9", "db-4:1-2")
        told = run(mysqlds, "db-1").told
        assert told[-1] == (
            f"db-4 has 2 transactions of its own ({gtids('db-4:1-2')}): ./lab db.rejoin db-4"
        )
        assert mysqlds.changes("db-4") == []

    def test_server_that_missed_the_change_follows_in_the_end(self, mysqlds: Mysqlds) -> None:
        mysqlds.before = failing("db-3", FOLLOW)
        assert run(mysqlds, "db-2").told == ["db-3 follows db-2"]

    def test_new_primary_whom_nobody_follows_says_that_its_writes_wait(
        self, mysqlds: Mysqlds
    ) -> None:
        def before(server: Mysqld, statement: str) -> None:
            if server.name != "db-2" and statement.startswith("START REPLICA"):
                raise GONE

        mysqlds.before = before
        error = refusal(mysqlds, "db-2")
        assert error.where == "db-2"
        assert "is primary, but too few replicas acknowledge its writes" in error.what
        assert "db-1 (not replicating)" in error.what


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("8.4.6-0ubuntu1", (8, 4)), ("9.7.0", (9, 7)), ("10.0.1", (10, 0)), ("2026.4", (2026, 4))],
)
def test_series_are_compared_as_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert series(version) == numbers
    assert series("9.7.0") < series("10.0.1") < series("2026.4")
