"""Who is primary, told from what the servers say."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from provision.mysql.accounts import accounts_for
from provision.mysql.cluster import Cluster, NoPrimaryError, as_described, decide
from provision.mysql.gtid import GtidSet
from provision.mysql.replica import Replica
from provision.mysql.state import DatabaseState, Source
from provision.secrets import SecretStore
from tests.recording_host import database
from tests.site_parts import TOPOLOGY

ACCOUNTS = accounts_for(IPv4Network("192.168.56.0/24"), SecretStore(None))
WEB_01, WEB_02, DB_03 = "web-01", "web-02", "db-03"
UUID = {
    WEB_01: "11111111-0000-0000-0000-000000000001",
    WEB_02: "22222222-0000-0000-0000-000000000002",
    DB_03: "33333333-0000-0000-0000-000000000003",
}
DATA = f"{UUID[WEB_01]}:1-9"
LESS = f"{UUID[WEB_01]}:1-8"
DOWN = DatabaseState(configured=True)
NEW = DatabaseState()


def _blank(*, read_only: bool = True) -> DatabaseState:
    return DatabaseState(
        answers=True, server_uuid="new", super_read_only=read_only, read_only=read_only
    )


def _alone(name: str, gtids: str = DATA, *, writable: bool = False) -> DatabaseState:
    return DatabaseState(
        answers=True,
        configured=True,
        server_uuid=UUID[name],
        super_read_only=not writable,
        read_only=not writable,
        gtid_executed=GtidSet(gtids),
        schemas=("app",),
    )


def _follows(source: str, name: str, gtids: str = DATA) -> DatabaseState:
    return DatabaseState(
        answers=True,
        configured=True,
        server_uuid=UUID[name],
        gtid_executed=GtidSet(gtids),
        schemas=("app",),
        source=Source(str(TOPOLOGY.machine(source).address), "replication", True, True, True),
    )


def test_the_file_alone_names_the_primary_of_the_file() -> None:
    cluster = as_described(TOPOLOGY)
    assert cluster.primary.name == WEB_01
    assert [machine.name for machine in cluster.replicas] == [WEB_02, DB_03]
    assert (cluster.primary_uuid, cluster.is_followed) == ("", False)


CASES = {
    "nothing was asked": ({}, WEB_01),
    "fresh machines": ({WEB_01: NEW, WEB_02: NEW, DB_03: NEW}, WEB_01),
    "fresh servers": ({WEB_01: _blank(), WEB_02: _blank(read_only=False), DB_03: NEW}, WEB_01),
    "normal": (
        {
            WEB_01: _alone(WEB_01, writable=True),
            WEB_02: _follows(WEB_01, WEB_02),
            DB_03: _follows(WEB_01, DB_03),
        },
        WEB_01,
    ),
    "after a failover": (
        {
            WEB_01: _follows(WEB_02, WEB_01),
            WEB_02: _alone(WEB_02, writable=True),
            DB_03: _follows(WEB_02, DB_03),
        },
        WEB_02,
    ),
    "in the middle of a failover": (
        {
            WEB_01: DOWN,
            WEB_02: _alone(WEB_02, writable=True),
            DB_03: _follows(WEB_01, DB_03),
        },
        WEB_02,
    ),
    "the old primary is back, fenced": (
        {
            WEB_01: _alone(WEB_01),
            WEB_02: _alone(WEB_02, writable=True),
            DB_03: _follows(WEB_02, DB_03),
        },
        WEB_02,
    ),
    "all fenced after a power loss": (
        {
            WEB_01: _alone(WEB_01),
            WEB_02: _follows(WEB_01, WEB_02),
            DB_03: _follows(WEB_01, DB_03),
        },
        WEB_01,
    ),
    "power loss after a failover": (
        {
            WEB_01: _follows(WEB_02, WEB_01),
            WEB_02: _alone(WEB_02),
            DB_03: _follows(WEB_02, DB_03),
        },
        WEB_02,
    ),
    "power loss before the old primary rejoined": (
        {WEB_01: _alone(WEB_01), WEB_02: _alone(WEB_02), DB_03: _follows(WEB_02, DB_03)},
        WEB_02,
    ),
    "primary out of reach": (
        {WEB_02: _follows(WEB_01, WEB_02), DB_03: _follows(WEB_01, DB_03)},
        WEB_01,
    ),
    "primary down": (
        {WEB_01: DOWN, WEB_02: _follows(WEB_01, WEB_02), DB_03: _follows(WEB_01, DB_03)},
        WEB_01,
    ),
    "one replica out of reach": (
        {WEB_01: _alone(WEB_01, writable=True), DB_03: _follows(WEB_01, DB_03)},
        WEB_01,
    ),
    "primary made anew, server blank": (
        {
            WEB_01: _blank(),
            WEB_02: _follows(WEB_01, WEB_02, LESS),
            DB_03: _follows(WEB_01, DB_03),
        },
        DB_03,
    ),
    "primary made anew, no server": (
        {
            WEB_01: NEW,
            WEB_02: _follows(WEB_01, WEB_02),
            DB_03: _follows(WEB_01, DB_03, LESS),
        },
        WEB_02,
    ),
    "made anew, replicas equal": (
        {WEB_01: NEW, WEB_02: _follows(WEB_01, WEB_02), DB_03: _follows(WEB_01, DB_03)},
        DB_03,
    ),
    "replica made anew": (
        {
            WEB_01: _alone(WEB_01, writable=True),
            WEB_02: _follows(WEB_01, WEB_02),
            DB_03: NEW,
        },
        WEB_01,
    ),
    "fresh clone without a channel beside the fenced primary": (
        {WEB_01: _alone(WEB_01), WEB_02: _alone(WEB_02), DB_03: _blank()},
        WEB_01,
    ),
    "fresh clone beside a fenced primary that is not the file's": (
        {
            WEB_01: _alone(WEB_01, f"{UUID[DB_03]}:1-9"),
            WEB_02: _blank(),
            DB_03: _alone(DB_03, f"{UUID[DB_03]}:1-9"),
        },
        DB_03,
    ),
}


@pytest.mark.parametrize(("states", "primary"), CASES.values(), ids=CASES.keys())
def test_primary_is_told(states: dict[str, DatabaseState], primary: str) -> None:
    cluster = decide(TOPOLOGY, states)
    assert cluster.primary.name == primary
    others = [machine.name for machine in TOPOLOGY.databases if machine.name != primary]
    assert [machine.name for machine in cluster.replicas] == others


def test_two_that_take_writes_are_both_named() -> None:
    states = {WEB_01: _alone(WEB_01, writable=True), WEB_02: _alone(WEB_02, writable=True)}
    with pytest.raises(NoPrimaryError) as caught:
        decide(TOPOLOGY, states)
    assert caught.value.where == "web-01 and web-02"
    assert "split brain" in caught.value.what
    assert "super_read_only=ON" in caught.value.next_step


def test_blank_server_that_takes_writes_is_no_second_primary() -> None:
    states = {WEB_01: _alone(WEB_01, writable=True), DB_03: _blank(read_only=False)}
    assert decide(TOPOLOGY, states).primary.name == WEB_01


@pytest.mark.parametrize("silent", [{}, {DB_03: DOWN}], ids=["out of reach", "its server is down"])
def test_no_new_primary_is_chosen_while_somebody_is_silent(
    silent: dict[str, DatabaseState],
) -> None:
    states = {WEB_01: NEW, WEB_02: _follows(WEB_01, WEB_02)} | silent
    with pytest.raises(NoPrimaryError) as caught:
        decide(TOPOLOGY, states)
    assert caught.value.where == DB_03
    assert "lab up" in caught.value.next_step
    assert "db-03" in caught.value.next_step


def test_diverged_servers_are_not_decided_between() -> None:
    states = {
        WEB_01: NEW,
        WEB_02: _follows(WEB_01, WEB_02, f"{DATA},{UUID[WEB_02]}:1"),
        DB_03: _follows(WEB_01, DB_03, f"{DATA},{UUID[DB_03]}:1"),
    }
    with pytest.raises(NoPrimaryError, match="each has transactions that another lacks"):
        decide(TOPOLOGY, states)


def _errant(primary: str, replica: str, *, primary_now: DatabaseState | None = None) -> str:
    states = {
        WEB_01: primary_now or _alone(WEB_01, primary, writable=True),
        WEB_02: _follows(WEB_01, WEB_02, replica),
        DB_03: _follows(WEB_01, DB_03),
    }
    return _errant_of(decide(TOPOLOGY, states), states[WEB_02])


def _errant_of(cluster: Cluster, state: DatabaseState) -> str:
    """What a replica calls errant of itself, told what the cluster knows of the primary."""
    replica = Replica(
        cluster.primary,
        3306,
        "/ca.pem",
        ACCOUNTS.replication,
        ACCOUNTS.clone,
        primary_uuid=cluster.primary_uuid,
        primary_executed=cluster.primary_executed,
    )
    return replica.actual(database(state))["errant transactions"]


def test_errant_transactions_of_a_replica_are_found() -> None:
    assert _errant(DATA, f"{DATA},{UUID[WEB_02]}:1-2") == f"2 ({UUID[WEB_02]}:1-2)"


def test_replica_that_is_behind_has_no_errant_transactions() -> None:
    assert _errant(DATA, LESS) == "none"


def test_primarys_own_newest_transactions_are_never_errant() -> None:
    assert _errant(LESS, DATA) == "none"
    assert _errant(LESS, f"{DATA}:blue:1") == "none"


def test_nothing_is_called_errant_while_the_primary_is_silent() -> None:
    assert _errant("", f"{DATA},{UUID[WEB_02]}:1", primary_now=DOWN) == "none"


def test_old_primary_that_wrote_more_than_the_new_has_errant_transactions() -> None:
    states = {
        WEB_01: _alone(WEB_01, DATA),
        WEB_02: _alone(WEB_02, f"{LESS},{UUID[WEB_02]}:1", writable=True),
    }
    cluster = decide(TOPOLOGY, states)
    assert _errant_of(cluster, states[WEB_01]) == f"1 ({UUID[WEB_01]}:9)"


def test_blank_server_is_not_opened_while_those_that_may_have_the_data_are_silent() -> None:
    with pytest.raises(NoPrimaryError, match="web-02 and db-03"):
        decide(TOPOLOGY, {WEB_01: _blank()}, is_founded=True)
    assert decide(TOPOLOGY, {WEB_01: _blank()}).primary.name == WEB_01


def test_nobody_is_chosen_while_every_server_is_down() -> None:
    with pytest.raises(NoPrimaryError):
        decide(TOPOLOGY, {WEB_01: DOWN, WEB_02: DOWN, DB_03: DOWN})


def test_replica_that_received_more_is_more_advanced_though_it_has_not_applied_it() -> None:
    states = {
        WEB_01: _blank(),
        WEB_02: replace(_follows(WEB_01, WEB_02, LESS), received=GtidSet(DATA)),
        DB_03: _follows(WEB_01, DB_03, LESS),
    }
    assert decide(TOPOLOGY, states).primary.name == WEB_02
    states[DB_03] = replace(states[DB_03], received=GtidSet(DATA))
    states[WEB_02] = _follows(WEB_01, WEB_02, LESS)
    assert decide(TOPOLOGY, states).primary.name == DB_03


def test_primary_is_known_to_be_followed_once_a_replica_has_a_source() -> None:
    alone = {WEB_01: _alone(WEB_01, writable=True), WEB_02: _blank(), DB_03: _blank()}
    assert not decide(TOPOLOGY, alone).is_followed
    assert decide(TOPOLOGY, alone | {DB_03: _follows(WEB_01, DB_03)}).is_followed


def test_primary_may_be_followed_by_a_replica_that_can_not_be_asked() -> None:
    alone = {WEB_01: _alone(WEB_01, writable=True)}
    assert decide(TOPOLOGY, alone, is_founded=True).is_followed
    assert not decide(TOPOLOGY, alone).is_followed
