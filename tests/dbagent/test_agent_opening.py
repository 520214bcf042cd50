"""A primary that is closed is opened where nobody else has taken its place."""

import pytest
from dbagent.config import AgentError
from dbagent.lock import Lock
from dbagent.opening import open_primary

from tests.dbagent.conftest import MakeMysqlds
from tests.dbagent.fakes import gtids
from tests.dbagent.mysqlds import Mysqld, Mysqlds

LOSSLESS = "SET GLOBAL rpl_semi_sync_source_enabled = ON"
OPEN = "SET GLOBAL read_only = OFF"


@pytest.fixture
def closed(mysqlds: Mysqlds) -> Mysqlds:
    """db-1, where the agent runs, was restarted; db-2 and db-3 follow it."""
    mysqlds.kill("db-1")
    mysqlds.boot("db-1")
    for name in ("db-2", "db-3"):
        mysqlds.connect(mysqlds[name])
    return mysqlds


def refusal(mysqlds: Mysqlds, trouble: str = "") -> str:
    with pytest.raises(AgentError, match="db-1: was not opened to writes: ") as caught:
        open_primary(mysqlds.config, "a test", lambda: trouble)
    assert mysqlds.changes() == []
    return caught.value.what.partition(": ")[2]


def test_closed_primary_is_opened_losslessly(closed: Mysqlds) -> None:
    assert open_primary(closed.config, "a test") == ["db-1 takes writes"]
    assert closed.writable == ["db-1"]
    order = closed.order(("db-1", LOSSLESS), ("db-1", OPEN))
    assert order == sorted(order)
    assert closed.write("db-1")


def test_open_one_needs_nothing(mysqlds: Mysqlds) -> None:
    assert open_primary(mysqlds.config, "a test") == ["db-1 takes writes already"]
    assert mysqlds.changes() == []


def test_replica_is_not_opened(closed: Mysqlds) -> None:
    closed["db-1"].source = closed["db-2"].address
    assert refusal(closed) == "it follows 192.0.2.2"


def test_one_whose_place_is_taken_is_not_opened(closed: Mysqlds) -> None:
    closed["db-2"].read_only = closed["db-2"].super_read_only = False
    closed["db-2"].source = ""
    assert refusal(closed) == "db-2 takes writes"


def test_one_that_lacks_what_a_replica_has_is_not_opened(closed: Mysqlds) -> None:
    closed["db-3"].executed = gtids("db-1:1-10")
    assert refusal(closed) == "db-3 has transactions that it lacks"


def test_whatever_else_speaks_against_it_is_told(closed: Mysqlds) -> None:
    assert refusal(closed, "its disk is full") == "its disk is full"


def test_one_in_a_minority_is_not_opened(closed: Mysqlds) -> None:
    closed.kill("db-2")
    closed.kill("db-3")
    with pytest.raises(AgentError, match="too few of them answer"):
        open_primary(closed.config, "a test")
    assert closed.writable == []


def test_one_is_not_opened_during_a_change_of_roles(closed: Mysqlds) -> None:
    with (
        Lock(closed.config, "failover", "ada"),
        pytest.raises(AgentError, match="failover, started by ada"),
    ):
        open_primary(closed.config, "a test", patience_s=1)
    assert closed.writable == []


def test_lock_that_was_lost_leaves_it_closed(closed: Mysqlds) -> None:
    def before(server: Mysqld, statement: str) -> None:
        if statement.startswith("SELECT IS_USED_LOCK"):
            closed["db-2"].lock = closed["db-3"].lock = None

    closed.before = before
    with pytest.raises(AgentError, match="too few of them answer now to be sure"):
        open_primary(closed.config, "a test")
    assert closed.writable == []


def test_single_server_is_opened(make_mysqlds: MakeMysqlds) -> None:
    mysqlds = make_mysqlds(1)
    mysqlds.kill("db-1")
    mysqlds.boot("db-1")
    assert open_primary(mysqlds.config, "a test") == ["db-1 takes writes"]
    assert mysqlds.write("db-1")
