"""Which dump and which logs make a state, from the archives of many machines."""

from datetime import UTC, datetime

import pytest

from provision.backups.history import IncompleteError, Recipe, recipe
from provision.backups.target import Target
from provision.errors import QuartetError
from provision.mysql.gtid import GtidSet
from tests.backups.parts import A, B, dump, log


def at(minute: int) -> Target:
    return Target(at=datetime(2026, 11, 21, 18, minute, tzinfo=UTC))


def logs_of(found: Recipe) -> list[tuple[str, int]]:
    return [(step.log.machine, step.log.begun_at.minute) for step in found.steps]


def test_newest_dump_before_the_moment_and_the_logs_after_it() -> None:
    dumps = [dump(5, f"{A}:1-10"), dump(20, f"{A}:1-20"), dump(40, f"{A}:1-40")]
    logs = [
        log("web-02", (0, 15), "", f"{A}:1-15"),
        log("web-02", (15, 30), f"{A}:1-15", f"{A}:1-30"),
        log("web-02", (30, 45), f"{A}:1-30", f"{A}:1-45"),
    ]
    found = recipe(dumps, logs, at(32), None)
    assert found.dump is dumps[1]
    assert logs_of(found) == [("web-02", 15), ("web-02", 30)]


def test_without_a_moment_everything_is_replayed() -> None:
    logs = [
        log("web-02", (0, 15), "", f"{A}:1-15"),
        log("web-02", (15, 30), f"{A}:1-15", f"{A}:1-30"),
    ]
    found = recipe([dump(5, f"{A}:1-10")], logs, Target(), None)
    assert logs_of(found) == [("web-02", 0), ("web-02", 15)]


def test_log_that_has_nothing_new_is_left_out() -> None:
    logs = [log("web-02", (0, 4), "", f"{A}:1-9"), log("db-03", (0, 9), "", f"{A}:1-12")]
    assert logs_of(recipe([dump(5, f"{A}:1-10")], logs, Target(), None)) == [("db-03", 0)]


def test_another_machines_logs_carry_on_where_a_dead_ones_end() -> None:
    logs = [
        log("web-01", (0, 10), "", f"{A}:1-20"),
        log("db-03", (0, 9), "", f"{A}:1-15"),
        log("db-03", (9, 30), f"{A}:1-15", f"{A}:1-20,{B}:1-8"),
    ]
    found = recipe([dump(5, f"{A}:1-10")], logs, Target(), None)
    assert logs_of(found) == [("web-01", 0), ("db-03", 9)]


def test_log_of_a_clone_is_no_beginning() -> None:
    """A clone's first log has nothing in it of what was cloned, but comes after all of that."""
    clone = log("db-03", (20, 30), f"{A}:1-20", f"{A}:1-30")
    with pytest.raises(IncompleteError, match=f"{A}:11-20"):
        recipe([dump(5, f"{A}:1-10")], [clone], Target(), None)


def test_hole_before_the_moment_is_an_error_and_one_after_it_is_none() -> None:
    logs = [
        log("web-02", (0, 10), "", f"{A}:1-15"),
        log("web-02", (30, 40), f"{A}:1-30", f"{A}:1-40"),
    ]
    with pytest.raises(IncompleteError, match=f"{A}:16-30"):
        recipe([dump(5, f"{A}:1-10")], logs, at(35), None)
    assert logs_of(recipe([dump(5, f"{A}:1-10")], logs, at(25), None)) == [("web-02", 0)]


def test_older_dump_serves_where_the_newest_one_leads_into_a_hole() -> None:
    dumps = [dump(5, f"{A}:1-10"), dump(20, f"{B}:1-3", "db-03")]
    logs = [
        log("web-02", (0, 30), "", f"{A}:1-30"),
        log("web-02", (30, 35), f"{A}:1-30", f"{A}:1-31"),
    ]
    assert recipe(dumps, logs, at(32), None).dump.taken_at.minute in (5, 20)


def test_before_a_gtid_the_replay_ends_with_the_log_that_has_it() -> None:
    logs = [
        log("web-02", (0, 10), "", f"{A}:1-15"),
        log("web-02", (10, 20), f"{A}:1-15", f"{A}:1-20"),
        log("web-02", (20, 30), f"{A}:1-20", f"{A}:1-30"),
    ]
    dumps = [dump(5, f"{A}:1-10"), dump(25, f"{A}:1-25")]
    found = recipe(dumps, logs, Target(before_gtid=f"{A}:18"), None)
    assert found.dump is dumps[0]
    assert logs_of(found) == [("web-02", 0), ("web-02", 10)]


def test_unknown_gtid_is_an_error() -> None:
    with pytest.raises(QuartetError, match="is in no archive"):
        recipe([dump(5, f"{A}:1-10")], [], Target(before_gtid=f"{B}:7"), None)


def test_gtid_that_is_in_every_dump_is_an_error() -> None:
    with pytest.raises(QuartetError, match="no dump is old enough"):
        recipe([dump(5, f"{A}:1-10")], [], Target(before_gtid=f"{A}:7"), None)


def test_moment_before_the_first_dump_and_no_dump_at_all_are_errors() -> None:
    with pytest.raises(QuartetError, match=r"no dump is old enough.*the oldest is of"):
        recipe([dump(5, f"{A}:1-10")], [], at(4), None)
    with pytest.raises(QuartetError, match="there is no dump yet"):
        recipe([], [], Target(), None)


def test_what_the_primary_never_had_is_left_out() -> None:
    """The old primary came back with a transaction that nobody has acknowledged."""
    logs = [
        log("web-01", (0, 10), "", f"{A}:1-21"),
        log("db-03", (0, 30), "", f"{A}:1-20,{B}:1-8"),
    ]
    found = recipe([dump(5, f"{A}:1-10")], logs, Target(), GtidSet(f"{A}:1-20,{B}:1-8"))
    assert str(found.steps[0].new) == f"{A}:1-20"
    assert logs_of(found) == [("web-01", 0), ("db-03", 0)]


def test_what_a_server_gave_up_when_it_was_cloned_is_left_out_though_its_gtid_came_again() -> None:
    logs = [
        log("web-01", (0, 10), "", f"{A}:1-21"),
        log("web-01", (20, 30), f"{A}:1-20,{B}:1-8", f"{A}:1-25,{B}:1-8"),
        log("db-03", (0, 20), "", f"{A}:1-20,{B}:1-8"),
    ]
    found = recipe([dump(5, f"{A}:1-10")], logs, Target(), GtidSet(f"{A}:1-25,{B}:1-8"))
    assert [str(step.exclude) for step in found.steps] == [f"{A}:21", "", ""]
    assert logs_of(found) == [("web-01", 0), ("db-03", 0), ("web-01", 20)]


def test_backups_of_databases_that_were_set_up_anew_count_as_they_are() -> None:
    logs = [log("web-02", (0, 15), "", f"{A}:1-15")]
    found = recipe([dump(5, f"{A}:1-10")], logs, Target(), GtidSet(f"{B}:1-3"))
    assert found.is_foreign
    assert logs_of(found) == [("web-02", 0)]
    assert not recipe([dump(5, f"{A}:1-10")], logs, Target(), None).is_foreign


def test_dump_with_more_than_the_primary_is_no_beginning() -> None:
    dumps = [dump(5, f"{A}:1-10"), dump(6, f"{A}:1-12")]
    assert recipe(dumps, [], Target(), GtidSet(f"{A}:1-11")).dump is dumps[0]
