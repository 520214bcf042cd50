"""Who is primary, who has what, and who would be promoted."""

from typing import Any

import pytest
from dbagent import status
from dbagent.config import AgentError
from dbagent.peers import Word
from dbagent.server import Server

from tests.dbagent.fakes import (
    dead,
    gtids,
    primary_of,
    replica_of,
    server_of,
    view_of,
    word_from,
)
from tests.site_parts import ROOT

ALL_WELL = (
    primary_of("db-1", "db-1:1-9"),
    replica_of("db-2", "db-1", "db-1:1-9"),
    replica_of("db-3", "db-1", "db-1:1-9"),
)


def name_of(server: Server | None) -> str | None:
    return server.name if server else None


def test_copy_of_the_gtid_arithmetic_is_the_tested_one() -> None:
    """The agent is deployed by itself, so it has one of its own; see tests/mysql/test_gtid.py."""
    copy = ROOT / "files/dbagent/dbagent/gtid.py"
    assert copy.read_text() == (ROOT / "provision/mysql/gtid.py").read_text()


@pytest.mark.parametrize(
    ("servers", "primary"),
    [
        (ALL_WELL, "db-1"),
        ((server_of("db-1"), primary_of("db-2"), server_of("db-3")), "db-2"),
        ((dead("db-1"), replica_of("db-2", "db-1"), replica_of("db-3", "db-1")), "db-1"),
        ((server_of("db-1"), replica_of("db-2", "db-1"), replica_of("db-3", "db-1")), "db-1"),
        ((dead("db-1"), replica_of("db-2", "db-1"), dead("db-3")), "db-1"),
        ((server_of("db-1"), server_of("db-2"), server_of("db-3")), None),
        ((dead("db-1"), dead("db-2"), dead("db-3")), None),
        ((dead("db-1"), replica_of("db-2", "db-1"), replica_of("db-3", "db-4")), "db-1"),
        ((server_of("db-1"), replica_of("db-2", "db-1"), replica_of("db-3", "db-2")), "db-1"),
        ((replica_of("db-1", "db-2"), replica_of("db-2", "db-1"), dead("db-3")), None),
    ],
    ids=[
        "all well",
        "nobody follows it yet",
        "dead, and followed",
        "closed, and followed",
        "dead, and followed by who is left",
        "all closed, nobody follows",
        "all dead",
        "a source that is no machine of ours",
        "a demoted server is still followed by one",
        "a ring",
    ],
)
def test_primary_takes_writes_or_is_followed(
    servers: tuple[Server, ...], primary: str | None
) -> None:
    assert name_of(view_of(*servers).primary) == primary


def test_two_sources_of_which_neither_follows_are_no_primary() -> None:
    servers = [dead("db-1"), dead("db-2"), replica_of("db-3", "db-1"), replica_of("db-4", "db-2")]
    assert view_of(*servers).primary is None


def test_server_that_takes_writes_counts_more_than_one_that_is_followed() -> None:
    servers = (dead("db-1"), primary_of("db-2"), replica_of("db-3", "db-1"))
    assert name_of(view_of(*servers).primary) == "db-2"


def test_two_that_take_writes_are_an_error_with_a_way_out() -> None:
    view = view_of(primary_of("db-1"), primary_of("db-2"), replica_of("db-3", "db-1"))
    with pytest.raises(AgentError, match=r"db-1 and db-2: both take writes \(split brain\)") as e:
        _ = view.primary
    assert "db.rejoin" in e.value.next_step
    assert view.candidate() is None


@pytest.mark.parametrize(
    ("facts", "is_writable"),
    [
        ({}, True),
        ({"answers": False}, False),
        ({"read_only": True}, False),
        ({"super_read_only": True}, False),
        ({"source": "192.0.2.2"}, False),
    ],
)
def test_writable_is_who_answers_is_open_and_follows_nobody(
    facts: dict[str, Any], is_writable: bool
) -> None:
    assert primary_of("db-1", **facts).is_writable == is_writable


@pytest.mark.parametrize("facts", [{}, {"super_read_only": True}, {"read_only": True}])
def test_closed_is_who_says_so_in_both_ways(facts: dict[str, Any]) -> None:
    assert not primary_of("db-1", **facts).is_closed
    assert primary_of("db-1", read_only=True, super_read_only=True).is_closed


@pytest.mark.parametrize(
    ("facts", "is_replicating"),
    [
        ({}, True),
        ({"receiver": "CONNECTING"}, False),
        ({"applier": "OFF"}, False),
        ({"applier_error": "duplicate key"}, False),
        ({"receiver_error": "purged"}, False),
    ],
)
def test_replicating_is_who_receives_and_applies_without_error(
    facts: dict[str, Any], is_replicating: bool
) -> None:
    assert replica_of("db-2", "db-1", **facts).is_replicating == is_replicating


def test_error_of_the_applier_is_told_first() -> None:
    assert server_of("db-1", receiver_error="gone", applier_error="broken").error == "broken"


def test_followers_are_those_that_answer_and_have_it_as_their_source() -> None:
    view = view_of(primary_of("db-1"), replica_of("db-2", "db-1"), dead("db-3"))
    assert [server.name for server in view.followers_of(view.servers["db-1"])] == ["db-2"]


class TestErrant:
    def test_replica_that_is_behind_has_none(self) -> None:
        view = view_of(primary_of("db-1", "db-1:1-9"), replica_of("db-2", "db-1", "db-1:1-5"))
        assert not view.errant(view.servers["db-2"], view.servers["db-1"])

    def test_transaction_of_its_own_is_found(self) -> None:
        replica = replica_of("db-2", "db-1", "db-1:1-5", of_its_own="db-2:1-2")
        view = view_of(primary_of("db-1", "db-1:1-9"), replica)
        extra = view.errant(view.servers["db-2"], view.servers["db-1"])
        assert str(extra) == str(gtids("db-2:1-2"))

    def test_live_primarys_own_may_be_on_a_replica_first(self) -> None:
        view = view_of(primary_of("db-1", "db-1:1-9"), replica_of("db-2", "db-1", "db-1:1-10"))
        assert not view.errant(view.servers["db-2"], view.servers["db-1"])

    def test_closed_primarys_own_count(self) -> None:
        closed = server_of("db-1", executed=gtids("db-1:1-9"))
        view = view_of(closed, replica_of("db-2", "db-1", "db-1:1-10"))
        assert str(view.errant(view.servers["db-2"], closed)) == str(gtids("db-1:10"))

    def test_nothing_is_errant_beside_a_primary_that_can_not_be_asked(self) -> None:
        view = view_of(dead("db-1"), replica_of("db-2", "db-1", "db-1:1-9"))
        assert not view.errant(view.servers["db-2"], view.servers["db-1"])

    def test_what_the_primary_has_merely_received_is_not_errant(self) -> None:
        closed = server_of("db-1", executed=gtids("db-9:1-3"), received=gtids("db-9:4-5"))
        view = view_of(closed, server_of("db-2", executed=gtids("db-9:1-5")))
        assert not view.errant(view.servers["db-2"], closed)


class TestMostAdvanced:
    def test_it_has_all_that_the_others_have_applied_or_not(self) -> None:
        ahead = replica_of("db-3", "db-1", "db-1:1-5", "db-1:6-9")
        view = view_of(dead("db-1"), replica_of("db-2", "db-1", "db-1:1-7"), ahead)
        assert view.most_advanced(view.answering) == ahead

    def test_of_equals_it_has_the_least_left_to_apply(self) -> None:
        idle = replica_of("db-3", "db-1", "db-1:1-9")
        view = view_of(dead("db-1"), replica_of("db-2", "db-1", "db-1:1-5", "db-1:6-9"), idle)
        assert view.most_advanced(view.answering) == idle

    def test_of_the_same_it_is_the_first_in_the_file(self) -> None:
        view = view_of(dead("db-1"), *ALL_WELL[1:])
        assert view.most_advanced(view.answering) == ALL_WELL[1]

    def test_nobody_is_there(self) -> None:
        assert view_of(dead("db-1")).most_advanced([]) is None

    def test_servers_that_went_apart_are_an_error(self) -> None:
        apart = [server_of(name, executed=gtids(f"{name}:1")) for name in ("db-1", "db-2")]
        with pytest.raises(AgentError, match=r"db-1 and db-2: each has transactions that another"):
            view_of(*apart).most_advanced(apart)


@pytest.mark.parametrize(
    ("servers", "candidate"),
    [
        (ALL_WELL, "db-2"),
        ((ALL_WELL[0], replica_of("db-2", "db-1", "db-1:1-5"), ALL_WELL[2]), "db-3"),
        ((ALL_WELL[0], dead("db-2"), ALL_WELL[2]), "db-3"),
        ((ALL_WELL[0], server_of("db-2", executed=gtids("db-1:1-9")), ALL_WELL[2]), "db-3"),
        (
            (
                ALL_WELL[0],
                replica_of("db-2", "db-1", "db-1:1-9", of_its_own="db-2:1"),
                ALL_WELL[2],
            ),
            "db-3",
        ),
        ((dead("db-1"), *ALL_WELL[1:]), "db-2"),
        ((ALL_WELL[0], dead("db-2"), dead("db-3")), None),
        ((ALL_WELL[0],), None),
    ],
    ids=[
        "all well",
        "one is behind",
        "one is dead",
        "one follows nobody",
        "one has transactions of its own",
        "the primary is dead",
        "no replica is left",
        "a single server",
    ],
)
def test_candidate_is_the_healthy_follower_that_has_most(
    servers: tuple[Server, ...], candidate: str | None
) -> None:
    assert name_of(view_of(*servers).candidate()) == candidate


class TestStatus:
    """What `dbagent status` prints."""

    @pytest.fixture(autouse=True)
    def agents(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Word]:
        """The agents that answer, by their machines."""
        agents = {"db-1": word_from("db-1", closed_because="its disk is full")}
        monkeypatch.setattr(status, "words", lambda config, peers, answer_s: agents)
        return agents

    def _servers(self, *servers: Server) -> dict[str, dict[str, Any]]:
        shown = status.as_json(view_of(*servers))["servers"]
        return {each["name"]: each for each in shown}

    def test_head_says_who_is_primary_and_who_would_be(self) -> None:
        shown = status.as_json(view_of(*ALL_WELL))
        assert (shown["primary"], shown["candidate"]) == ("db-1", "db-2")
        assert (shown["automatic"], shown["acknowledgements"], shown["max_lag_s"]) == (False, 1, 5)

    def test_each_server_has_one_role(self) -> None:
        shown = self._servers(
            primary_of("db-1"), replica_of("db-2", "db-1"), server_of("db-3"), dead("db-4")
        )
        roles = {name: each["role"] for name, each in shown.items()}
        assert roles == {
            "db-1": "primary",
            "db-2": "replica",
            "db-3": "fenced",
            "db-4": "unreachable",
        }

    def test_nobody_may_be_primary(self) -> None:
        shown = status.as_json(view_of(server_of("db-1"), dead("db-2")))
        assert shown["primary"] is None
        assert [each["lacks"] for each in shown["servers"]] == [None, None]

    def test_replica_lacks_what_the_primary_has_more(self) -> None:
        replica = replica_of("db-2", "db-1", "db-1:1-5", "db-1:4-8", silent_s=5.5)
        shown = self._servers(primary_of("db-1", "db-1:1-9"), replica, dead("db-3"))
        assert (shown["db-2"]["lacks"], shown["db-2"]["unapplied"]) == (4, 3)
        assert shown["db-2"]["lag_s"] == 3.5
        assert shown["db-1"]["lacks"] == 0
        assert shown["db-3"]["lacks"] is None

    def test_where_the_primary_is_dead_nobody_is_compared_with_it(self) -> None:
        shown = status.as_json(view_of(dead("db-1"), *ALL_WELL[1:]))
        assert (shown["primary"], shown["candidate"]) == ("db-1", "db-2")
        assert [(each["lacks"], each["errant"]) for each in shown["servers"]] == [(None, "")] * 3

    def test_transactions_of_its_own_are_shown_as_mysql_writes_them(self) -> None:
        replica = replica_of("db-2", "db-1", "db-1:1", of_its_own="db-2:1-2")
        shown = self._servers(primary_of("db-1", "db-1:1"), replica)
        assert shown["db-2"]["errant"] == str(gtids("db-2:1-2"))
        assert shown["db-1"]["errant"] == ""

    def test_agents_say_whether_they_are_there_and_why_they_closed_a_server(self) -> None:
        shown = self._servers(*ALL_WELL)
        assert [each["agent"] for each in shown.values()] == [True, False, False]
        assert shown["db-1"]["closed_because"] == "its disk is full"
        assert shown["db-2"]["closed_because"] == ""

    def test_reason_of_a_server_that_does_not_answer_is_shown(self) -> None:
        assert self._servers(*ALL_WELL[:2], dead("db-3"))["db-3"]["error"] == "no route to host"

    def test_split_brain_is_shown_with_both_servers(self) -> None:
        shown = status.as_json(view_of(primary_of("db-1"), primary_of("db-2"), dead("db-3")))
        assert "split brain" in shown["problem"]
        assert (shown["primary"], shown["candidate"]) == (None, None)
        assert [each["role"] for each in shown["servers"]] == ["primary", "primary", "unreachable"]
        assert status.as_json(view_of(*ALL_WELL))["problem"] == ""
