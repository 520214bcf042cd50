import time

import pymysql
import pytest
from board.connection import Connection
from board.deadline import Deadline
from board.errors import UnavailableError
from board.pool import IDLE_CONNECTIONS, OLDEST_SECONDS, Pool

from tests.app.fake_lab import LOST, READ_ONLY, REFUSED, SETTINGS, FakeServer, Router


def use(pool: Pool) -> str:
    return pool.run(server_of, Deadline(4), 1)


def server_of(connection: Connection, /) -> str:
    return connection.server


def fail(pool: Pool, error: Exception) -> None:
    def work(_: Connection, /) -> None:
        raise error

    pool.run(work, Deadline(4), 1)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer("web-02")


@pytest.fixture
def pool(server: FakeServer) -> Pool:
    return Pool("reads", SETTINGS.reads, server.connect)


def test_a_connection_is_kept(pool: Pool, server: FakeServer) -> None:
    for _ in range(10):
        use(pool)
    assert server.connects == 1


def test_several_are_opened_so_that_all_servers_are_met_in_turn() -> None:
    servers = [FakeServer("web-02"), FakeServer("db-03")]
    pool = Pool("reads", SETTINGS.reads, Router(*servers).connect, spread=4)
    assert [use(pool) for _ in range(12)] == ["web-02", "db-03"] * 6
    assert [server.connects for server in servers] == [2, 2]


def test_an_old_connection_is_replaced_so_that_a_server_that_is_back_gets_its_share(
    pool: Pool, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(pool)
    later = time.monotonic() + OLDEST_SECONDS + 1
    monkeypatch.setattr("board.pool.time.monotonic", lambda: later)
    use(pool)
    use(pool)
    assert server.connects == 2


def test_a_connection_that_was_cut_is_replaced_at_once(pool: Pool, server: FakeServer) -> None:
    use(pool)
    server.ping_error = LOST
    assert use(pool) == "web-02"
    assert server.connects == 2


@pytest.mark.parametrize("error", [LOST, READ_ONLY])
def test_the_first_failure_drops_all_idle_connections(
    pool: Pool, server: FakeServer, error: Exception
) -> None:
    with pool.connection(Deadline(4), 1), pool.connection(Deadline(4), 1):
        pass
    assert server.connects == 2
    with pytest.raises(UnavailableError):
        fail(pool, error)
    use(pool)
    assert server.connects == 3


def test_a_refused_statement_costs_one_connection_alone(pool: Pool, server: FakeServer) -> None:
    with pool.connection(Deadline(4), 1), pool.connection(Deadline(4), 1):
        pass
    with pytest.raises(UnavailableError):
        fail(pool, pymysql.err.ProgrammingError(1146, "no such table"))
    use(pool)
    assert server.connects == 2


def test_only_some_are_kept(pool: Pool, server: FakeServer) -> None:
    lent = [pool.connection(Deadline(4), 1) for _ in range(IDLE_CONNECTIONS + 3)]
    for each in lent:
        each.__enter__()
    for each in lent:
        each.__exit__(None, None, None)
    assert len(pool._idle) == pool._open == IDLE_CONNECTIONS


def test_nothing_is_counted_that_is_not_open(pool: Pool, server: FakeServer) -> None:
    server.connect_error = REFUSED
    with pytest.raises(UnavailableError):
        use(pool)
    server.connect_error = None
    with pytest.raises(KeyError):
        fail(pool, KeyError("a bug"))
    with pytest.raises(UnavailableError):
        fail(pool, LOST)
    assert (pool._open, len(pool._idle)) == (0, 0)
