"""How far a replica is behind, and what the load balancers are told."""

from collections.abc import Iterator
from typing import cast

import pymysql
import pytest
from dbagent import health
from dbagent.gtid import GtidSet
from dbagent.health import HEARTBEAT_S, STALE_S, Backlog, Monitor, lag_s
from dbagent.mysql import Session
from dbagent.server import Server

from tests.dbagent.fakes import Clock, config_of, gtids, primary_of, replica_of, server_of

Sample = tuple[float, str, str]


@pytest.mark.parametrize(
    ("samples", "age_s"),
    [
        ([], 0),
        ([(0, "1-9", "1-9")], 0),
        ([(0, "1-9", "1-5")], 0),
        ([(0, "1-9", "1-5"), (3, "1-9", "1-5")], 3),
        ([(0, "1-9", "1-5"), (3, "1-9", "1-9")], 0),
        ([(0, "1-9", "1-5"), (3, "1-9", "1-8"), (4, "1-9", "1-8")], 4),
        ([(0, "1-5", "1-4"), (2, "1-9", "1-4"), (3, "1-9", "1-5")], 1),
        ([(n, f"1-{n + 2}", f"1-{n + 1}") for n in range(9)], 0),
        ([(n, f"1-{n + 3}", f"1-{n + 1}") for n in range(9)], 1),
        ([(0, "1-9", "1-5"), (9, "1-9", "1-9"), (10, "1-12", "1-9"), (12, "1-12", "1-10")], 2),
        ([(0, "", "1-5"), (9, "", "1-5")], 0),
    ],
    ids=[
        "nothing was seen",
        "all is applied",
        "just arrived",
        "the applier is stopped",
        "caught up",
        "some of it is applied",
        "the older part is applied",
        "always one transaction behind",
        "always two behind",
        "behind again",
        "nothing was received since the start",
    ],
)
def test_backlog_is_as_old_as_the_oldest_that_waits(samples: list[Sample], age_s: float) -> None:
    backlog = Backlog()
    age = 0.0
    for now, received, executed in samples:
        age = backlog.age_s(_own(received), _own(executed), 100 + now)
    assert age == age_s


def _own(spans: str) -> GtidSet:
    return gtids(f"db-1:{spans}") if spans else GtidSet()


def test_what_was_thrown_away_unapplied_waits_no_longer() -> None:
    """A server that follows another source may never get what only the old one had."""
    backlog = Backlog()
    backlog.age_s(_own("1-9"), _own("1-8"), 100)
    assert backlog.age_s(GtidSet(), _own("1-8"), 101) == 0
    assert backlog.age_s(gtids("db-2:1"), _own("1-8"), 102) == 0
    assert backlog.age_s(gtids("db-2:1"), _own("1-8"), 104) == 2


@pytest.mark.parametrize(
    ("silent_s", "travelled_s", "backlog_s", "lag"),
    [
        (0, 0, 0, 0),
        (HEARTBEAT_S, 0, 0, 0),
        (HEARTBEAT_S + 3, 0, 0, 3),
        (0, 4, 0, 4),
        (0, 0, 2, 2),
        (HEARTBEAT_S + 1, 2, 3, 3),
    ],
)
def test_lag_is_the_worst_of_what_waits_travels_or_is_not_heard_of(
    silent_s: float, travelled_s: float, backlog_s: float, lag: float
) -> None:
    replica = replica_of("db-2", "db-1", silent_s=silent_s, travelled_s=travelled_s)
    assert lag_s(replica, backlog_s) == lag


class FakeServer:
    """Says how it is, or gives an error; and counts the sessions that are open to it."""

    def __init__(self) -> None:
        self.now: Server | Exception = replica_of("db-2", "db-1", "db-1:1-9", "db-1:1-9")
        self.sessions = 0
        self.dialled = 0

    def dial(self, patience: float) -> Session:
        self.sessions += 1
        self.dialled += 1
        return cast("Session", self)

    def close(self) -> None:
        self.sessions -= 1

    def read(self, session: Session, name: str, address: str) -> Server:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


class TestMonitor:
    @pytest.fixture
    def server(self, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
        server = FakeServer()
        monkeypatch.setattr(health, "local", server.dial)
        monkeypatch.setattr(health, "read_server", server.read)
        return server

    @pytest.fixture
    def monitor(
        self, server: FakeServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Monitor]:
        monkeypatch.setattr(health, "time", clock)
        monitor = Monitor(config_of(3, "db-2", max_lag_s=5))
        monitor.sample()
        yield monitor
        assert server.sessions <= 1

    def test_before_the_first_sample_nothing_is_known(self) -> None:
        monitor = Monitor(config_of(3, "db-2"))
        assert not monitor.server.answers
        assert (monitor.is_primary, monitor.is_usable_replica) == (False, False)
        assert (monitor.server.name, monitor.server.address) == ("db-2", "192.0.2.2")

    def test_healthy_replica_is_usable_and_no_primary(self, monitor: Monitor) -> None:
        assert (monitor.is_primary, monitor.is_usable_replica, monitor.lag_s) == (False, True, 0)

    @pytest.mark.parametrize(
        ("server_now", "is_primary"),
        [(primary_of("db-2"), True), (server_of("db-2"), False)],
        ids=["open", "fenced"],
    )
    def test_server_without_a_source_is_no_replica(
        self, monitor: Monitor, server: FakeServer, server_now: Server, is_primary: bool
    ) -> None:
        server.now = server_now
        monitor.sample()
        assert (monitor.is_primary, monitor.is_usable_replica) == (is_primary, False)

    @pytest.mark.parametrize(
        ("replica", "is_usable"),
        [
            (replica_of("db-2", "db-1", applier="OFF"), False),
            (replica_of("db-2", "db-1", applier_error="duplicate key"), False),
            (replica_of("db-2", "db-1", receiver="CONNECTING", receiver_error="away"), True),
            (replica_of("db-2", "db-1", silent_s=HEARTBEAT_S + 5), True),
            (replica_of("db-2", "db-1", silent_s=HEARTBEAT_S + 5.1), False),
            (replica_of("db-2", "db-1", travelled_s=6), False),
        ],
        ids=["stopped", "broken", "source away", "at the limit", "too silent", "too slow a link"],
    )
    def test_replica_is_usable_while_it_applies_and_is_fresh(
        self, monitor: Monitor, server: FakeServer, replica: Server, is_usable: bool
    ) -> None:
        server.now = replica
        monitor.sample()
        assert monitor.is_usable_replica == is_usable

    def test_replica_that_applies_nothing_is_left_once_its_backlog_is_too_old(
        self, monitor: Monitor, server: FakeServer, clock: Clock
    ) -> None:
        server.now = replica_of("db-2", "db-1", "db-1:1-9", "db-1:1-12")
        usable = []
        for _ in range(7):
            monitor.sample()
            usable.append(monitor.is_usable_replica)
            clock.sleep(1)
        assert usable == [True] * 6 + [False]
        assert monitor.lag_s == 6

    def test_old_sample_is_no_answer(self, monitor: Monitor, clock: Clock) -> None:
        clock.sleep(STALE_S - 0.1)
        assert monitor.server.answers
        clock.sleep(0.2)
        assert (monitor.server.answers, monitor.is_usable_replica) == (False, False)

    def test_server_that_is_gone_is_dialled_anew(
        self, monitor: Monitor, server: FakeServer
    ) -> None:
        well = server.now
        server.now = pymysql.err.OperationalError(2013, "Lost connection")
        monitor.sample()
        assert not monitor.server.answers
        assert "Lost connection" in monitor.server.error
        assert server.sessions == 0
        server.now = well
        monitor.sample()
        monitor.sample()
        assert monitor.server.answers
        assert server.dialled == 2
