import pymysql
import pytest
from board import fresh, messages
from board.errors import UnavailableError
from board.messages import Message
from board.reading import Answer

from tests.app.fake_lab import LOST, REFUSED, SOURCE, Lab, message_row

GTIDS = (f"{SOURCE}:3",)


def read(lab: Lab, gtids: fresh.Gtids = (), *, waits: bool = True) -> Answer[list[Message]]:
    return lab.databases.reader.read(messages.newest, gtids, waits=waits)


def test_reads_go_to_the_replicas_in_turn(lab: Lab) -> None:
    assert [read(lab).database for _ in range(4)] == ["web-02", "db-03", "web-02", "db-03"]
    assert lab.primary.connects == 0


def test_a_read_that_fails_is_repeated_on_a_new_connection(lab: Lab) -> None:
    lab.replicas[0].read_error = LOST
    assert {read(lab).database for _ in range(6)} == {"db-03"}


def test_where_the_router_knows_no_replica_the_primary_is_read(lab: Lab) -> None:
    lab.reads.servers = []
    assert read(lab).database == "web-01"


def test_where_the_replicas_lack_the_table_the_primary_is_read(lab: Lab) -> None:
    for replica in lab.replicas:
        replica.read_error = pymysql.err.ProgrammingError(1146, "no such table")
    assert read(lab).database == "web-01"


def test_when_all_are_away_the_reason_names_both_addresses(lab: Lab) -> None:
    for server in lab.servers:
        server.connect_error = REFUSED
    with pytest.raises(UnavailableError, match=r"replicas' address \(Can't .*primary's address"):
        read(lab)


def test_who_wrote_nothing_waits_for_nothing(lab: Lab) -> None:
    assert read(lab).is_fresh is None
    assert [server.waits for server in lab.servers] == [0, 0, 0]


def test_a_replica_that_has_the_write_in_time_is_read(lab: Lab) -> None:
    lab.replicas[0].executed = 3
    answer = read(lab, GTIDS)
    assert (answer.database, answer.is_fresh, answer.late) == ("web-02", True, None)
    assert lab.replicas[0].waits == 1


def test_the_primary_is_read_where_the_replica_is_late(lab: Lab) -> None:
    lab.primary.executed = 3
    lab.primary.rows = [message_row(7)]
    answer = read(lab, GTIDS)
    assert (answer.database, answer.is_fresh, answer.late) == ("web-01", True, "web-02")
    assert [message.id for message in answer.result] == [7]
    assert [server.waits for server in lab.servers] == [0, 1, 0]


def test_a_replica_that_refuses_to_wait_counts_as_late(lab: Lab) -> None:
    lab.primary.executed = 3
    for replica in lab.replicas:
        replica.read_error = pymysql.err.OperationalError(1234, "no")
    assert read(lab, GTIDS).late == "web-02"


def test_a_replica_that_dies_while_it_waits_is_replaced(lab: Lab) -> None:
    lab.replicas[0].read_error = LOST
    lab.replicas[1].executed = 3
    assert read(lab, GTIDS).database == "db-03"


def test_without_a_primary_what_is_there_is_read_and_called_stale(lab: Lab) -> None:
    lab.writes.servers = []
    answer = read(lab, GTIDS)
    assert (answer.is_fresh, answer.late, answer.is_gone) == (False, "web-02", False)


def test_what_the_primary_itself_lacks_is_gone(lab: Lab) -> None:
    answer = read(lab, GTIDS)
    assert (answer.database, answer.is_fresh, answer.is_gone) == ("web-01", False, True)


@pytest.mark.parametrize(("executed", "is_fresh"), [(2, False), (3, True)])
def test_who_does_not_wait_is_told_whether_it_was_fresh(
    lab: Lab, executed: int, is_fresh: bool
) -> None:
    lab.replicas[0].executed = executed
    answer = read(lab, GTIDS, waits=False)
    assert (answer.database, answer.is_fresh) == ("web-02", is_fresh)
    assert lab.replicas[0].waits == 0


def test_every_write_of_the_session_must_be_there(lab: Lab) -> None:
    lab.primary.executed = lab.replicas[0].executed = 3
    assert read(lab, (*GTIDS, f"{SOURCE}:4")).late == "web-02"
