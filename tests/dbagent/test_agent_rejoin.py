"""A server that was away follows the primary again; what only it had is saved before it goes."""

from pathlib import Path

import pytest
from dbagent import rejoin as module
from dbagent.config import AgentError
from dbagent.rejoin import Rejoined, rejoin
from dbagent.switchover import switchover

from tests.dbagent.fakes import Clock, gtids
from tests.dbagent.mysqlds import FakeSession, Mysqld, Mysqlds
from tests.local_host import write_program

CLONE = "CLONE INSTANCE FROM"
FOLLOW = "CHANGE REPLICATION SOURCE TO"
OWN = gtids("db-1:10-11")


class Machine:
    """db-1, on which the agent runs."""

    def __init__(self, mysqlds: Mysqlds) -> None:
        self.mysqlds = mysqlds
        self.server = mysqlds["db-1"]
        self.can_start = True

    def answers(self) -> bool:
        return self.server.is_alive

    def start(self, within_s: float) -> bool:
        if self.can_start:
            self.mysqlds.boot("db-1")
        return self.can_start

    def local(self, patience: float = 1) -> FakeSession:
        return self.mysqlds.dial(self.mysqlds.config, self.mysqlds.config.peer("db-1"))

    def fence(self, patience: float = 1) -> str:
        self.server.read_only = self.server.super_read_only = True
        return "was read-only already"

    def started(self) -> str:
        said = [statement for _, statement in self.mysqlds.statements]
        return str(sum(statement.startswith(CLONE) for statement in said))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where mysqlbinlog is; it prints what it is asked for."""
    folder = tmp_path / "bin"
    write_program(folder, "mysqlbinlog", 'echo "-- $*"')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def machine(
    mysqlds: Mysqlds, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, programs: Path
) -> Machine:
    """db-2 is primary, db-3 follows it, and db-1 has come back, closed."""
    mysqlds.kill("db-1")
    mysqlds["db-2"].source = ""
    mysqlds["db-2"].read_only = mysqlds["db-2"].super_read_only = False
    mysqlds["db-2"].semi_sync_source = True
    mysqlds["db-3"].source = mysqlds["db-2"].address
    mysqlds.connect(mysqlds["db-3"])
    mysqlds.boot("db-1")
    machine = Machine(mysqlds)
    for name in ("answers", "start", "local", "fence"):
        monkeypatch.setattr(module, name, getattr(machine, name))
    monkeypatch.setattr(module, "_started", machine.started)
    monkeypatch.setattr(module, "SAVED", tmp_path / "errant")
    return machine


def run(machine: Machine) -> Rejoined:
    return rejoin(machine.mysqlds.config, "a test")


def refusal(machine: Machine) -> AgentError:
    with pytest.raises(AgentError) as caught:
        run(machine)
    return caught.value


def test_server_with_nothing_of_its_own_follows(machine: Machine) -> None:
    machine.mysqlds.write("db-2")
    done = run(machine)
    assert done.saved is None
    assert done.told[-1] == "it follows db-2; it had nothing of its own"
    assert machine.mysqlds.followers_of("db-2") == {"db-1", "db-3"}
    assert machine.mysqlds.acknowledged <= machine.server.executed


def test_server_that_is_stopped_is_started(machine: Machine) -> None:
    machine.mysqlds.kill("db-1", agent=False)
    run(machine)
    assert machine.mysqlds.followers_of("db-2") == {"db-1", "db-3"}


def test_own_transactions_are_saved_and_it_is_cloned(machine: Machine) -> None:
    machine.server.executed = gtids("db-1:1-11")
    machine.mysqlds.write("db-2")
    done = run(machine)
    assert done.saved is not None
    assert f"--include-gtids={OWN} /var/lib/mysql/binlog.000007" in Path(done.saved).read_text()
    assert f"2 transactions that db-2 lacks ({OWN}); they are saved" in done.told[-1]
    assert str(machine.server.executed) == str(machine.mysqlds["db-2"].executed)
    assert machine.mysqlds.followers_of("db-2") == {"db-1", "db-3"}


def test_saved_transactions_are_for_root_alone(machine: Machine) -> None:
    machine.server.executed = gtids("db-1:1-11")
    saved = Path(run(machine).saved or "")
    assert oct(saved.parent.stat().st_mode)[-3:] == "700"


def test_commits_that_came_through_when_it_was_killed_are_found(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were hanging before, so that nobody saw them."""

    def fence(patience: float) -> str:
        machine.mysqlds.kill("db-1", agent=False)
        machine.server.hanging = OWN
        machine.mysqlds.boot("db-1")
        return "was killed, and comes back read-only"

    monkeypatch.setattr(module, "fence", fence)
    done = run(machine)
    assert done.told[0] == "db-1 was killed, and comes back read-only"
    assert done.saved is not None


class TestPrimaryThatWaits:
    """Nobody follows the new primary, so it has closed itself: the old one is who it waits for."""

    @pytest.fixture(autouse=True)
    def _alone(self, machine: Machine) -> None:
        machine.mysqlds.kill("db-3")
        machine.mysqlds["db-2"].read_only = machine.mysqlds["db-2"].super_read_only = True

    @pytest.mark.parametrize("was_restarted", [False, True])
    def test_it_is_followed_and_opened(self, machine: Machine, *, was_restarted: bool) -> None:
        head = machine.mysqlds["db-2"]
        head.semi_sync_source = not was_restarted
        assert run(machine).told[-2:] == [
            "it follows db-2; it had nothing of its own",
            "db-2 takes writes",
        ]
        assert machine.mysqlds.followers_of("db-2") == {"db-1"}
        assert (head.read_only, head.super_read_only) == (False, False)
        assert head.semi_sync_source

    def test_one_whom_others_follow_is_opened_too(self, machine: Machine) -> None:
        machine.mysqlds.boot("db-3")
        assert run(machine).told[-1] == "db-2 takes writes"

    def test_own_transactions_that_one_who_is_away_may_have_are_not_given_up(
        self, machine: Machine
    ) -> None:
        """The one that closed itself may be the older primary, and this one the last."""
        machine.server.executed = gtids("db-1:1-11")
        error = refusal(machine)
        assert f"has transactions that db-2 lacks ({OWN}), and db-3 may have them" in error.what
        assert machine.mysqlds.changes() == []

    def test_own_transactions_are_given_up_where_all_lack_them(self, machine: Machine) -> None:
        machine.mysqlds.boot("db-3")
        machine.mysqlds["db-3"].source = ""
        machine.server.executed = gtids("db-1:1-11")
        assert run(machine).saved is not None
        assert str(machine.server.executed) == str(machine.mysqlds["db-2"].executed)

    def test_own_transactions_are_given_up_where_a_third_was_primary_since(
        self, machine: Machine
    ) -> None:
        machine.server.executed = gtids("db-1:1-11")
        machine.mysqlds["db-2"].executed = gtids("db-1:1-9", "db-3:1")
        assert run(machine).saved is not None
        assert str(machine.server.executed) == str(machine.mysqlds["db-2"].executed)

    def test_transactions_of_others_are_not_given_up(self, machine: Machine) -> None:
        machine.server.executed = gtids("db-1:1-9", "db-3:1")
        assert "has transactions that db-2 lacks" in refusal(machine).what
        assert machine.mysqlds.changes() == []


class TestRefusals:
    def test_server_that_does_not_start_is_told(self, machine: Machine) -> None:
        machine.mysqlds.kill("db-1", agent=False)
        machine.can_start = False
        error = refusal(machine)
        assert (error.where, error.what) == ("db-1", "MySQL does not start")
        assert "journalctl -u mysql" in error.next_step

    def test_without_a_primary_there_is_nobody_to_follow(self, machine: Machine) -> None:
        machine.mysqlds.kill("db-2")
        error = refusal(machine)
        assert error.what == "there is no primary to follow"
        assert "./lab db.failover" in error.next_step
        assert machine.mysqlds.changes() == []

    def test_two_primaries_are_told(self, machine: Machine) -> None:
        machine.server.read_only = machine.server.super_read_only = False
        assert "split brain" in refusal(machine).what
        assert machine.mysqlds.changes() == []

    def test_primary_itself_does_not_rejoin(self, machine: Machine) -> None:
        switchover(machine.mysqlds.config, "db-2", "a test")
        switchover(machine.mysqlds.config, "db-1", "a test")
        assert str(refusal(machine)).startswith("db-1: is the primary")
        assert machine.mysqlds.writable == ["db-1"]

    def test_one_at_a_time(self, machine: Machine) -> None:
        session = machine.local()
        session.program = "switchover, started by ada"
        session.value("SELECT GET_LOCK(%s, 0)", "quartet.dbagent")
        machine.mysqlds.kill("db-3")
        assert "switchover, started by ada" in refusal(machine).what


class TestNothingIsLost:
    """Its data stay as they are until its own transactions are saved."""

    @pytest.fixture(autouse=True)
    def own_transactions(self, machine: Machine) -> None:
        machine.server.executed = gtids("db-1:1-11")

    def _expect_untouched(self, machine: Machine) -> None:
        assert not OWN - machine.server.executed
        assert machine.server.source == ""
        assert machine.server.super_read_only

    def test_where_they_can_not_be_saved_nothing_is_replaced(
        self, machine: Machine, programs: Path
    ) -> None:
        write_program(programs, "mysqlbinlog", "echo disk full >&2; exit 1")
        error = refusal(machine)
        assert "could not save the transactions: disk full" in error.what
        assert "nothing was replaced" in error.next_step
        self._expect_untouched(machine)

    def test_where_they_are_not_in_the_logs_any_more_nothing_is_replaced(
        self, machine: Machine
    ) -> None:
        machine.server.purged = gtids("db-1:1-10")
        assert "no longer all in the binary logs" in refusal(machine).what
        self._expect_untouched(machine)

    def test_clone_that_fails_leaves_it_closed(self, machine: Machine) -> None:
        def before(server: Mysqld, statement: str) -> None:
            if statement.startswith(CLONE):
                raise ValueError("the donor hung up")

        machine.mysqlds.before = before
        error = refusal(machine)
        assert "could not be cloned from db-2: the donor hung up" in error.what
        self._expect_untouched(machine)


def test_server_that_does_not_get_to_replicate_says_why(machine: Machine, clock: Clock) -> None:
    machine.mysqlds["db-2"].is_alive = True

    def before(server: Mysqld, statement: str) -> None:
        if server.name == "db-1":
            server.receiver = "CONNECTING" if server.source else server.receiver

    machine.mysqlds.before = before
    began = clock.now
    error = refusal(machine)
    assert "does not replicate from db-2 within 30 s: error connecting" in error.what
    assert clock.now - began >= 30


def test_clone_is_restarted_before_it_follows(machine: Machine) -> None:
    machine.server.executed = gtids("db-1:1-11")
    run(machine)
    order = machine.mysqlds.order(("db-1", CLONE), ("db-1", FOLLOW))
    assert order == sorted(order)
