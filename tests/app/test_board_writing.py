import threading
import time

import pymysql
import pytest
from board import messages, writing
from board.errors import WritesPausedError, WriteUndecidedError
from board.messages import Draft, Stored

from tests.app.fake_lab import LOST, READ_ONLY, REFUSED, SOURCE, FakeServer, Lab

DRAFT = Draft("Ada", "Hello")
TIMED_OUT = pymysql.err.OperationalError(2013, "timed out")
LOCKED = pymysql.err.OperationalError(1205, "Lock wait timeout exceeded")


def write(lab: Lab, name: str = "t") -> tuple[Stored, str]:
    return lab.databases.writer.write(
        lambda connection: messages.store(connection, DRAFT, "web-01", name)
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only in pauses, of which this is the list."""
    pauses: list[float] = []
    start = time.monotonic()
    monkeypatch.setattr("board.writing.time.sleep", pauses.append)
    monkeypatch.setattr("board.deadline.time.monotonic", lambda: start + sum(pauses))
    return pauses


def test_a_write_goes_to_the_primary_and_has_its_gtid(lab: Lab) -> None:
    assert write(lab) == (Stored(1, f"{SOURCE}:1"), "web-01")
    assert [server.writes for server in lab.servers] == [1, 0, 0]


@pytest.mark.parametrize("code", [1142, 1146, 1048])
def test_a_refused_write_is_certainly_not_stored_and_not_repeated(lab: Lab, code: int) -> None:
    lab.primary.write_error = pymysql.err.OperationalError(code, "no")
    with pytest.raises(WritesPausedError, match="web-01 refused the write"):
        write(lab)
    assert lab.primary.writes == 1


@pytest.mark.parametrize("code", [1290, 1792, 1836, 1213, 2006, 2013, 1053, 1180, 1205, 3100])
def test_what_may_pass_is_repeated_and_stored_once(lab: Lab, clock: list[float], code: int) -> None:
    error = pymysql.err.OperationalError(code, "not now")
    lab.primary.write_errors = [error, error]
    assert write(lab)[0].id == 1
    assert (lab.primary.writes, len(lab.primary.rows)) == (3, 1)


def test_a_write_whose_answer_was_lost_is_stored_once(lab: Lab, clock: list[float]) -> None:
    lab.primary.write_errors = [TIMED_OUT, LOCKED]
    lab.primary.stores_anyway = True
    stored, _ = write(lab)
    assert stored.id == 1
    assert stored.gtid == f"{SOURCE}:3"
    assert [row["id"] for row in lab.primary.rows] == [1]


def test_a_write_waits_until_there_is_a_new_primary(lab: Lab, clock: list[float]) -> None:
    write(lab, "first")
    lab.replicate()
    new = lab.replicas[0]
    lab.primary.write_error = READ_ONLY
    lab.primary.ping_error = LOST
    lab.writes.servers = [lab.primary, lab.primary, new]
    assert write(lab, "second") == (Stored(2, f"{SOURCE}:2"), "web-02")


def test_the_first_pauses_are_short(lab: Lab, clock: list[float]) -> None:
    lab.primary.connect_error = REFUSED
    with pytest.raises(WritesPausedError):
        write(lab)
    assert clock[0] == pytest.approx(0.05)
    assert max(clock) == pytest.approx(0.1)


@pytest.mark.parametrize("error", [REFUSED, LOST])
def test_without_a_primary_a_write_is_not_stored_after_8_seconds(
    lab: Lab, clock: list[float], error: Exception
) -> None:
    lab.primary.connect_error = error
    with pytest.raises(WritesPausedError, match="no primary answers"):
        write(lab)
    assert 7.5 < sum(clock) <= 8


def test_one_undecided_attempt_leaves_the_write_undecided(lab: Lab, clock: list[float]) -> None:
    lab.primary.write_errors = [TIMED_OUT]
    lab.primary.write_error = READ_ONLY
    with pytest.raises(WriteUndecidedError, match="web-01 did not confirm the write"):
        write(lab)


def test_an_undecided_write_that_is_then_refused_stays_undecided(
    lab: Lab, clock: list[float]
) -> None:
    lab.primary.write_errors = [TIMED_OUT]
    lab.primary.write_error = pymysql.err.OperationalError(1142, "denied")
    with pytest.raises(WriteUndecidedError):
        write(lab)
    assert lab.primary.writes == 2


def test_a_new_primary_is_used_at_once_whatever_failed_before(lab: Lab, clock: list[float]) -> None:
    lab.writes.servers = []
    with pytest.raises(WritesPausedError):
        write(lab)
    lab.writes.servers = [lab.primary]
    assert write(lab)[1] == "web-01"


def test_only_so_many_writes_wait_so_that_threads_are_left_for_reading(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("board.writing.PLACE_SECONDS", 0.01)
    places = lab.databases.writer._places
    for _ in range(writing.MOST_WRITES):
        assert places.acquire(blocking=False)
    with pytest.raises(WritesPausedError, match="too many writes wait"):
        write(lab)
    places.release()
    assert write(lab)[1] == "web-01"


def test_a_place_is_given_back_however_it_ends(lab: Lab, clock: list[float]) -> None:
    lab.primary.write_error = READ_ONLY
    for _ in range(writing.MOST_WRITES + 2):
        with pytest.raises(WritesPausedError, match="read-only"):
            write(lab)
    assert lab.databases.writer._places.acquire(blocking=False)


def test_writers_side_by_side_get_through_a_change_of_the_primary(lab: Lab) -> None:
    old, new = lab.primary, FakeServer("db-04", is_read_only=False)
    stored: list[str] = []

    def writer(number: int) -> None:
        for count in range(5):
            stored.append(write(lab, f"{number}-{count}")[1])

    old.write_error = READ_ONLY
    threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    lab.writes.servers = [new]
    for thread in threads:
        thread.join(timeout=10)
    assert stored == ["db-04"] * 20
