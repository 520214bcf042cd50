"""Health, as the agents' status shows it."""

from typing import Any

import pytest

from provision.drill.tier import complaints, strays
from tests.drill.statuses import server, status


def test_healthy_servers_give_nothing_to_complain_of() -> None:
    found = status(server("web-02"), server("db-03"))
    assert complaints(found) == []
    assert strays(found) == []


def test_without_a_primary_nothing_is_healthy() -> None:
    assert complaints({"primary": None, "servers": []}) == ["there is no primary"]


def test_primary_that_is_away_is_not_healthy() -> None:
    found = status(server("web-02"), role="unreachable")
    assert complaints(found) == ["web-01 takes no writes"]
    assert strays(found) == []


def test_replica_that_does_not_acknowledge_is_missed() -> None:
    found = status(server("web-02"), server("db-03"), semi_sync_clients=1)
    assert complaints(found) == ["web-01 is acknowledged by 1 of 2 replicas"]


@pytest.mark.parametrize(
    "facts",
    [
        {"role": "fenced"},
        {"role": "unreachable", "error": "no answer"},
        {"receiver": "CONNECTING"},
        {"applier": "OFF"},
        {"source": "web-02"},
        {"error": "duplicate key"},
    ],
)
def test_server_that_does_not_follow_is_a_stray(facts: dict[str, Any]) -> None:
    found = status(server("web-02"), server("db-03", **facts))
    assert strays(found) == ["db-03"]
    assert complaints(found)[0].startswith("db-03 does not follow")


def test_replica_that_is_behind_or_has_its_own_is_no_stray_and_not_healthy() -> None:
    found = status(server("web-02", lacks=3), server("db-03", errant="abc:1"))
    assert strays(found) == []
    assert complaints(found) == [
        "web-02 lacks 3 transactions",
        "db-03 has transactions of its own: abc:1",
    ]
