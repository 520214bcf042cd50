"""HAProxy itself with the file that web machines get: who is asked, and what is cut when."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.roles.routing_rig import Router, eventually, router

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not on this host")

CUT_WITHIN_S = 5.0
"""Else they last for the hour that HAProxy's `timeout server` is."""
KEPT_S = 1.0
AT_ONCE_S = 0.4
"""Below HAProxy's shortest time-out, which is 0.5 s (`timeout connect`)."""
TRIES = 3
Result = TypeVar("Result")


@pytest.fixture
def route(tmp_path: Path) -> Iterator[Router]:
    with router(tmp_path) as started:
        yield started


def test_writes_go_to_the_primary_and_reads_to_the_replicas_in_turn(route: Router) -> None:
    assert route.writers() == {"db-1"}
    turns = [route.read().name for _ in range(4)]
    assert set(turns[:2]) == {"db-2", "db-3"}
    assert turns[2:] == turns[:2]


def test_role_change_cuts_old_connections_and_new_ones_go_to_the_new_primary(
    route: Router,
) -> None:
    writing, reading = route.write(), [route.read() for _ in range(2)]
    route.roles(primary="2", replica="13")
    assert writing.is_cut_within(CUT_WITHIN_S)
    eventually(lambda: route.up("primary") == {"db-2"})
    assert route.writers() == {"db-2"}
    eventually(lambda: route.readers() == {"db-1", "db-3"})
    found = {each.name: each.is_cut_within(0.2) for each in reading}
    assert found == {"db-2": True, "db-3": False}


def test_without_a_primary_writes_are_refused_at_once_and_reads_go_on(route: Router) -> None:
    route.roles(replica="23")
    eventually(lambda: route.up("primary") == set())
    assert _fastest_s(route.write, lambda visit: visit.name == "") < AT_ONCE_S
    assert route.readers() == {"db-2", "db-3"}


def _fastest_s(act: Callable[[], Result], is_right: Callable[[Result], bool]) -> float:
    """Seconds of the fastest of a few times; what comes of it has to be right each time."""
    seconds = []
    for _ in range(TRIES):
        began = time.monotonic()
        assert is_right(act())
        seconds.append(time.monotonic() - began)
    return min(seconds)


def test_replica_that_is_no_good_loses_its_readers(route: Router) -> None:
    reading = [route.read() for _ in range(2)]
    route.roles(primary="1", replica="3")
    found = {each.name: each.is_cut_within(KEPT_S) for each in reading}
    assert found == {"db-2": True, "db-3": False}
    assert route.readers() == {"db-3"}


def test_reads_fall_back_to_the_primary_and_leave_it_again(route: Router) -> None:
    route.roles(primary="1")
    eventually(lambda: route.readers() == {"db-1"})
    reading = route.read()
    route.roles(primary="1", replica="3")
    assert reading.is_cut_within(CUT_WITHIN_S)
    assert route.readers() == {"db-3"}


@pytest.mark.parametrize("role", ["primary", "replica"])
def test_reads_fall_back_to_whoever_is_alive_and_leave_when_there_is_better(
    route: Router, role: str
) -> None:
    route.roles()
    eventually(lambda: route.readers() == {"db-1", "db-2", "db-3"})
    reading = [route.read() for _ in range(3)]
    route.roles(**{role: "2"})
    assert all(each.is_cut_within(CUT_WITHIN_S) for each in reading)
    assert route.readers() == {"db-2"}


def test_server_that_is_dead_takes_no_reads_though_nobody_has_noticed(route: Router) -> None:
    route.databases["db-2"].stop_listening()
    assert _fastest_s(route.readers, lambda names: names == {"db-3"}) < AT_ONCE_S


def test_connections_do_not_outlive_a_reload_for_long(route: Router) -> None:
    writing = route.write()
    route.reload()
    eventually(lambda: route.writers() == {"db-1"})
    assert not writing.is_cut_within(1)  # what is under way may end
    assert writing.is_cut_within(6)
