import time

import pytest
from board import states
from board.connection import Connection
from board.database import server_at

from tests.app.fake_lab import REFUSED, TOPOLOGY, Lab, message_row


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic()
    monkeypatch.setattr("board.states.time.monotonic", lambda: now + seconds)


def test_states_say_what_each_server_says_of_itself(lab: Lab) -> None:
    lab.replicas[1].connect_error = REFUSED
    lab.primary.rows = [message_row(7)]
    found = lab.databases.states.now()
    assert [(s.name, s.role, s.newest_message) for s in found] == [
        ("web-01", "primary", 7),
        ("web-02", "replica", None),
        ("db-03", "unreachable", None),
    ]
    assert found[2].reason == "Can't connect to MySQL server"


def test_states_are_measured_once_a_second(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.databases.states.now()
    lab.primary.is_read_only = True
    assert lab.databases.states.now()[0].role == "primary"
    pass_time(monkeypatch, states.KEPT_SECONDS)
    assert lab.databases.states.now()[0].role == "replica"


def test_an_unreachable_one_is_left_alone_for_a_while(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.replicas[0].connect_error = REFUSED
    lab.databases.states.now()
    pass_time(monkeypatch, states.KEPT_SECONDS)
    assert lab.databases.states.now()[1].role == "unreachable"
    assert lab.replicas[0].connects == 1
    lab.replicas[0].connect_error = None
    pass_time(monkeypatch, states.UNREACHABLE_SECONDS + 1)
    assert lab.databases.states.now()[1].role == "replica"


@pytest.mark.parametrize(
    ("address", "hostname", "name"),
    [
        ("192.0.2.13", "h", "db-03"),
        ("192.0.2.99", "db-03", "db-03"),
        (None, "db-03", "db-03"),
    ],
)
def test_a_server_behind_the_router_is_named_after_its_machine(
    address: str | None, hostname: str, name: str
) -> None:
    class Asked(Connection):
        def __init__(self) -> None:
            pass

        def __del__(self) -> None:
            pass

        def rows(self, statement: str, *values: object) -> list[dict[str, object]]:
            return [{"address": address, "hostname": hostname}]

    assert server_at(Asked(), TOPOLOGY.name_of) == name
