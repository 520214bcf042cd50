"""One operation at a time, and whoever comes second is told who is at work since when."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import pytest
from dbagent import lock as lock_module
from dbagent.config import AgentError, Peer
from dbagent.lock import IDLE_S, USED_EVERY_S, Lock, LostLockError

from provision.polling import is_reached
from tests.dbagent.conftest import MakeMysqlds
from tests.dbagent.fakes import Clock
from tests.dbagent.mysqlds import FakeSession, Mysqlds


def holders(mysqlds: Mysqlds) -> list[str]:
    return [each.name for each in mysqlds.servers.values() if each.lock]


def test_lock_is_held_on_all_servers_and_given_back(mysqlds: Mysqlds) -> None:
    with Lock(mysqlds.config, "switchover", "ada"):
        assert holders(mysqlds) == ["db-1", "db-2", "db-3"]
    assert holders(mysqlds) == []


def test_lock_is_given_back_where_the_operation_fails(mysqlds: Mysqlds) -> None:
    with pytest.raises(ZeroDivisionError), Lock(mysqlds.config, "switchover", "ada"):
        raise ZeroDivisionError
    assert holders(mysqlds) == []


def test_second_one_is_told_who_is_at_work_since_when(mysqlds: Mysqlds) -> None:
    with (
        Lock(mysqlds.config, "switchover", "ada on desk"),
        pytest.raises(AgentError) as caught,
        Lock(mysqlds.config, "failover", "bob"),
    ):
        pass
    told = r"another operation is under way: switchover, started by ada on desk at 20\d\d-.* UTC"
    assert re.fullmatch(told, caught.value.what)
    assert caught.value.where == "the databases"
    assert "wait for its end" in caught.value.next_step


def test_first_one_keeps_its_lock_when_a_second_one_was_refused(mysqlds: Mysqlds) -> None:
    with Lock(mysqlds.config, "switchover", "ada"):
        with pytest.raises(AgentError), Lock(mysqlds.config, "failover", "bob"):
            pass
        assert holders(mysqlds) == ["db-1", "db-2", "db-3"]


def test_majority_is_enough_and_the_rest_is_named(mysqlds: Mysqlds) -> None:
    mysqlds.kill("db-2")
    with Lock(mysqlds.config, "failover", "ada") as lock:
        assert holders(mysqlds) == ["db-1", "db-3"]
        assert list(lock.away) == ["db-2"]
        assert "Can't connect" in lock.away["db-2"]


def test_minority_is_not_enough(mysqlds: Mysqlds) -> None:
    mysqlds.kill("db-2")
    mysqlds.kill("db-3")
    with pytest.raises(AgentError) as caught, Lock(mysqlds.config, "failover", "ada"):
        pass
    assert caught.value.what.startswith("too few of them answer to be sure that nobody else")
    assert "db-2 (" in caught.value.what
    assert "db-3 (" in caught.value.what
    assert "./lab up" in caught.value.next_step
    assert holders(mysqlds) == []


def test_server_that_somebody_else_holds_does_not_count(mysqlds: Mysqlds) -> None:
    mysqlds.kill("db-3")
    _hold(mysqlds, "db-2")
    with (
        pytest.raises(AgentError, match="under way: rejoin of db-9"),
        Lock(mysqlds.config, "failover", "ada"),
    ):
        pass
    assert holders(mysqlds) == ["db-2"]


def test_lock_that_somebody_holds_on_a_minority_does_not_matter(mysqlds: Mysqlds) -> None:
    _hold(mysqlds, "db-2")
    with Lock(mysqlds.config, "failover", "ada"):
        assert holders(mysqlds) == ["db-1", "db-2", "db-3"]
    assert holders(mysqlds) == ["db-2"]


def test_session_ends_by_itself_where_its_machine_is_off(mysqlds: Mysqlds) -> None:
    with Lock(mysqlds.config, "failover", "ada"):
        said = [statement for _, statement in mysqlds.statements]
        assert said.count(f"SET SESSION wait_timeout = {IDLE_S}") == 3
    assert 2 * USED_EVERY_S < IDLE_S


def test_session_of_a_long_operation_is_used_all_the_while(
    mysqlds: Mysqlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "USED_EVERY_S", 0.01)
    held = "SELECT IS_USED_LOCK"

    def used() -> int:
        return sum(statement.startswith(held) for _, statement in mysqlds.statements)

    with Lock(mysqlds.config, "rejoin", "ada"):
        assert is_reached(lambda: used() >= 6, within_s=10)


def test_lock_that_is_still_held_is_confirmed(mysqlds: Mysqlds) -> None:
    with Lock(mysqlds.config, "failover", "ada") as lock:
        lock.confirm()
        mysqlds.kill("db-1")
        lock.confirm()


def test_lock_that_was_lost_is_not_confirmed(mysqlds: Mysqlds) -> None:
    with Lock(mysqlds.config, "failover", "ada") as lock:
        for name in ("db-1", "db-2"):
            mysqlds[name].lock = None
        with pytest.raises(LostLockError, match="too few of them answer now to be sure") as caught:
            lock.confirm()
    assert "db-1 (its session there has ended)" in caught.value.what
    assert "db-3" not in caught.value.what


def test_reason_of_a_loss_is_what_broke_the_session_first(mysqlds: Mysqlds) -> None:
    with Lock(mysqlds.config, "failover", "ada") as lock:
        mysqlds.kill("db-1")
        lock.confirm()
        mysqlds.boot("db-1")
        mysqlds.kill("db-2")
        with pytest.raises(LostLockError) as caught:
            lock.confirm()
    assert caught.value.what.count("Lost connection") == 2


def test_patient_one_waits_for_the_end_of_another(mysqlds: Mysqlds, clock: Clock) -> None:
    first = Lock(mysqlds.config, "switchover", "ada")
    first.__enter__()
    clock.at(clock.now + 2, lambda: first.__exit__(None, None, None))
    with Lock(mysqlds.config, "opening", "bob", patience_s=5):
        assert holders(mysqlds) == ["db-1", "db-2", "db-3"]


def test_patience_has_an_end(mysqlds: Mysqlds, clock: Clock) -> None:
    began = clock.now
    with (
        Lock(mysqlds.config, "switchover", "ada"),
        pytest.raises(AgentError, match="started by ada"),
        Lock(mysqlds.config, "opening", "bob", patience_s=5),
    ):
        pass
    assert 5 < clock.now - began < 6


class TestOfTwo:
    """One of two servers may be dead, so one lock is enough; but not while both answer."""

    @pytest.fixture
    def mysqlds(self, make_mysqlds: MakeMysqlds) -> Mysqlds:
        return make_mysqlds(2)

    def test_one_is_enough_where_the_other_is_dead(self, mysqlds: Mysqlds) -> None:
        mysqlds.kill("db-1")
        with Lock(mysqlds.config, "failover", "ada"):
            assert holders(mysqlds) == ["db-2"]

    def test_one_is_not_enough_where_somebody_else_has_the_other(self, mysqlds: Mysqlds) -> None:
        _hold(mysqlds, "db-2")
        with pytest.raises(AgentError, match="rejoin"), Lock(mysqlds.config, "failover", "ada"):
            pass
        assert holders(mysqlds) == ["db-2"]


@pytest.mark.parametrize("databases", [2, 3, 4, 5])
def test_of_several_at_once_one_at_most_gets_it(databases: int, make_mysqlds: MakeMysqlds) -> None:
    mysqlds = make_mysqlds(databases)
    together = Barrier(4)
    inside: list[int] = []
    most: list[int] = []

    def attempt(who: int) -> None:
        together.wait(10)
        with suppress(AgentError), Lock(mysqlds.config, "switchover", f"operator {who}"):
            inside.append(who)
            time.sleep(0.02)  # for the others to come in, if they can
            most.append(len(inside))
            inside.remove(who)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            list(pool.map(attempt, range(4)))
    assert set(most) == {1}
    assert holders(mysqlds) == []


def _hold(mysqlds: Mysqlds, name: str) -> None:
    """Somebody else holds the lock on one server alone."""
    peer: Peer = mysqlds.config.peer(name)
    session = mysqlds.dial(mysqlds.config, peer, "rejoin of db-9, started by bob at noon")
    assert isinstance(session, FakeSession)
    assert session.value("SELECT GET_LOCK(%s, 0)", "quartet.dbagent") == 1
