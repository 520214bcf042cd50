import time

import pymysql
import pytest
from board import database, messages
from board.database import Server, UnavailableError, WritesPausedError, WriteUndecidedError
from board.messages import Draft

from tests.app.fake_lab import LOST, REFUSED, Lab, message_row


def reader(lab: Lab) -> str:
    return lab.databases.read(messages.newest)[1].name


def write(lab: Lab) -> int:
    draft = Draft("Ada", "Hello")
    return lab.databases.write(lambda connection: messages.store(connection, draft, "web-01"))[0]


def wait_until_up(server: Server) -> None:
    deadline = time.perf_counter() + 5
    while server.is_down:
        assert time.perf_counter() < deadline, "still down after 5 s"
        time.sleep(0.01)


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic()
    monkeypatch.setattr("board.database.time.monotonic", lambda: now + seconds)


def test_reads_go_to_the_replicas_in_turn(lab: Lab) -> None:
    assert [reader(lab) for _ in range(4)] == ["web-02", "db-03", "web-02", "db-03"]
    assert lab.primary.connects == 0


def test_connections_are_kept(lab: Lab) -> None:
    for _ in range(10):
        reader(lab)
    assert [server.connects for server in lab.servers] == [0, 1, 1]


def test_a_dead_replica_is_skipped_and_not_asked_again_at_once(lab: Lab) -> None:
    lab.replicas[0].connect_error = REFUSED
    assert {reader(lab) for _ in range(6)} == {"db-03"}
    assert lab.replicas[0].connects == 1


def test_without_replicas_the_primary_is_read(lab: Lab) -> None:
    for replica in lab.replicas:
        replica.connect_error = REFUSED
    assert reader(lab) == "web-01"


def test_a_replica_that_lacks_the_table_is_skipped_but_not_down(lab: Lab) -> None:
    lab.replicas[0].read_error = pymysql.err.ProgrammingError(1146, "no such table")
    assert reader(lab) == "db-03"
    assert not lab.databases.replicas[0].is_down


def test_a_read_that_is_cut_off_is_repeated_elsewhere(lab: Lab) -> None:
    lab.replicas[0].read_error = LOST
    assert reader(lab) == "db-03"
    assert lab.databases.replicas[0].is_down


def test_a_closed_connection_is_replaced(lab: Lab) -> None:
    reader(lab), reader(lab)
    lab.replicas[0].ping_error = LOST
    assert reader(lab) == "web-02"
    assert lab.replicas[0].connects == 2


def test_a_silent_connection_is_not_tried_twice(lab: Lab) -> None:
    reader(lab), reader(lab)
    silent = pymysql.err.OperationalError(2013, "timed out")
    silent.__context__ = TimeoutError()
    lab.replicas[0].ping_error = silent
    assert reader(lab) == "db-03"
    assert lab.replicas[0].connects == 1


def test_a_replica_that_is_back_is_found_without_a_request_waiting_for_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = lab.replicas[0]
    replica.connect_error = REFUSED
    reader(lab)
    replica.connect_error = None
    replica.may_connect.clear()
    pass_time(monkeypatch, database.DOWN_SECONDS)
    assert {reader(lab) for _ in range(3)} == {"db-03"}
    replica.may_connect.set()
    wait_until_up(lab.databases.replicas[0])
    assert "web-02" in {reader(lab) for _ in range(2)}
    assert replica.connects == 2


def test_when_all_are_away_the_reason_names_each(lab: Lab) -> None:
    for server in lab.servers:
        server.connect_error = REFUSED
    for _ in range(3):
        with pytest.raises(UnavailableError, match=r"db-03 .*web-01 .*web-02"):
            reader(lab)
    assert [server.connects for server in lab.servers] == [1, 1, 1]


def test_when_all_were_away_the_first_that_is_back_serves(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for server in lab.servers:
        server.connect_error = REFUSED
    with pytest.raises(UnavailableError):
        reader(lab)
    lab.replicas[1].connect_error = None
    pass_time(monkeypatch, database.DOWN_SECONDS)
    assert reader(lab) == "db-03"


def test_a_write_goes_to_the_primary(lab: Lab) -> None:
    assert write(lab) == 1
    assert [server.writes for server in lab.servers] == [1, 0, 0]


@pytest.mark.parametrize("code", [1290, 1792, 1836, 1142, 1146])
def test_a_refused_write_is_certainly_not_stored(lab: Lab, code: int) -> None:
    lab.primary.write_error = pymysql.err.OperationalError(code, "no")
    with pytest.raises(WritesPausedError):
        write(lab)
    assert lab.primary.writes == 1


@pytest.mark.parametrize("code", [2006, 2013, 2014, 1053, 1180, 1317, 3100])
def test_a_lost_answer_leaves_a_write_undecided_and_it_is_not_repeated(lab: Lab, code: int) -> None:
    lab.primary.write_error = pymysql.err.OperationalError(code, "lost")
    with pytest.raises(WriteUndecidedError):
        write(lab)
    assert lab.primary.writes == 1


def test_a_write_to_a_primary_that_is_away_is_paused_and_soon_tried_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.primary.connect_error = REFUSED
    for _ in range(3):
        with pytest.raises(WritesPausedError):
            write(lab)
    assert lab.primary.connects == 1
    lab.primary.connect_error = None
    pass_time(monkeypatch, database.DOWN_SECONDS)
    assert write(lab) == 1


def test_states_say_what_each_server_says_of_itself(lab: Lab) -> None:
    lab.replicas[1].connect_error = REFUSED
    lab.primary.rows = [message_row(7)]
    states = lab.databases.states()
    assert [(s.name, s.role, s.newest_message) for s in states] == [
        ("web-01", "primary", 7),
        ("web-02", "replica", None),
        ("db-03", "unreachable", None),
    ]


def test_states_are_measured_once_a_second(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.databases.states()
    lab.primary.is_read_only = True
    assert lab.databases.states()[0].role == "primary"
    pass_time(monkeypatch, database.STATE_SECONDS)
    assert lab.databases.states()[0].role == "replica"


def test_the_last_healthy_one_failing_gives_the_long_silent_ones_a_chance(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.replicas[0].connect_error = lab.primary.connect_error = REFUSED
    lab.databases.primary.mark_down(REFUSED)
    assert reader(lab) == "db-03"
    lab.replicas[0].connect_error = None
    lab.replicas[1].read_error = LOST
    pass_time(monkeypatch, database.DOWN_SECONDS)
    assert reader(lab) == "web-02"
