"""A replica: seeded, following and refusing writes, in an order that loses nothing."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from provision import waiting
from provision.errors import QuartetError
from provision.mysql.accounts import accounts_for
from provision.mysql.gtid import GtidSet
from provision.mysql.primary import PRIMARY_ID
from provision.mysql.replica import Replica
from provision.mysql.state import DatabaseState, Source
from provision.resources import changed_keys
from provision.secrets import SecretStore
from tests.recording_host import RecordingHost, database, positions
from tests.site_parts import TOPOLOGY

ACCOUNTS = accounts_for(IPv4Network("192.168.56.0/24"), SecretStore(None))
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
OWN = "4f22fb58-82db-22f2-af44-d91bb0530673"
REPLICA = Replica(
    TOPOLOGY.machine("web-01"), 3306, "/etc/mysql/tls/ca.pem", ACCOUNTS.replication, ACCOUNTS.clone
)
SOURCE = Source("192.168.56.11", "replication", True, True, True)
GOOD = DatabaseState(
    answers=True,
    configured=True,
    semi_sync_replica=True,
    gtid_executed=GtidSet(f"{UUID}:1-9"),
    source=SOURCE,
    receiver="ON",
    applier="ON",
)
BLANK = DatabaseState(answers=True, configured=True, semi_sync_replica=True)
ERRANT = replace(GOOD, gtid_executed=GtidSet(f"{UUID}:1-9,{OWN}:1-2"))
DOWN = DatabaseState(configured=True)
BROKEN = replace(GOOD, receiver="OFF", error="error 1236: purged binary logs")
WITH_ERRANT = replace(REPLICA, primary_uuid=UUID, primary_executed=GtidSet(f"{UUID}:1-9"))
ANEW = replace(WITH_ERRANT, reclone=True)
CLONED = "its data are replaced by a clone of web-01"
FOLLOWS = "follows: nobody → 192.168.56.11"
READ_ONLY = "SET GLOBAL super_read_only = ON"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "REMOTE_POLL_INTERVAL_S", 0)


def _restarting(clone: str | QuartetError = "") -> Callable[[str, str], str | QuartetError]:
    """Answers of a machine whose mysqld starts anew once CLONE is through."""
    starts = iter(["100\n", "", "100\n", "200\n"])

    def answer(script: str, stdin: str) -> str | QuartetError:
        if "ExecMainStartTimestampMonotonic" in script:
            return next(starts)
        return clone if "CLONE INSTANCE" in stdin else ""

    return answer


def _apply(
    state: DatabaseState,
    resource: Replica = REPLICA,
    answer: Callable[[str, str], str | QuartetError] | None = None,
    after: DatabaseState = GOOD,
) -> RecordingHost:
    host = RecordingHost(database(state), database(after), answer=answer or _restarting())
    resource.apply(host, {})
    return host


def _changes(state: DatabaseState, resource: Replica = REPLICA) -> dict[str, str]:
    return changed_keys(resource, database(state))


def test_replica_as_it_should_be_has_nothing_to_change() -> None:
    assert _changes(GOOD) == {}


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (replace(GOOD, super_read_only=False), {"takes writes": "yes"}),
        (replace(GOOD, semi_sync_replica=False), {"acknowledges": "no"}),
        (replace(GOOD, receiver="CONNECTING"), {"receives": "CONNECTING"}),
        (
            replace(GOOD, applier="OFF", error="error 1: x"),
            {"applies": "OFF", "error": "error 1: x"},
        ),
        (replace(GOOD, source=replace(SOURCE, host="10.0.0.1")), {"follows": "10.0.0.1"}),
        (replace(GOOD, source=replace(SOURCE, tls=False)), {"link": "no TLS, by GTID"}),
        (
            replace(GOOD, source=replace(SOURCE, verified=False)),
            {"link": "TLS, not verified, by GTID"},
        ),
        (
            replace(GOOD, source=replace(SOURCE, auto_position=False)),
            {"link": "TLS, verified, by position"},
        ),
        (
            BLANK,
            {
                "seeded": "no",
                "follows": "nobody",
                "link": "none",
                "receives": "OFF",
                "applies": "OFF",
            },
        ),
    ],
)
def test_what_differs_in_a_replica_is_named(state: DatabaseState, changes: dict[str, str]) -> None:
    assert _changes(state) == changes


def test_errant_transactions_are_counted_until_a_clone_has_done_away_with_them() -> None:
    assert _changes(ERRANT, WITH_ERRANT) == {"errant transactions": f"2 ({OWN}:1-2)"}
    assert _changes(GOOD, WITH_ERRANT) == {}


@pytest.mark.parametrize(
    ("state", "resource", "effects"),
    [
        (DatabaseState(), REPLICA, [CLONED, FOLLOWS]),
        (BLANK, REPLICA, [CLONED, FOLLOWS]),
        (replace(BLANK, super_read_only=False), ANEW, [CLONED, FOLLOWS, "takes writes: yes → no"]),
        (ERRANT, ANEW, [CLONED]),
        (BROKEN, ANEW, [CLONED]),
        (
            ERRANT,
            WITH_ERRANT,
            [f"refused: has transactions that the primary web-01 lacks: 2 ({OWN}:1-2)"],
        ),
        (
            replace(BLANK, schemas=("shop",)),
            REPLICA,
            ["refused: is to be a replica but is not seeded: no, has data of its own: shop"],
        ),
        (BROKEN, REPLICA, ["receives: OFF → ON", "error: error 1236: purged binary logs → none"]),
        (replace(GOOD, receiver="OFF", applier="OFF"), REPLICA, ["receives, applies: OFF → ON"]),
    ],
)
def test_plan_says_what_becomes_of_the_data(
    state: DatabaseState, resource: Replica, effects: list[str]
) -> None:
    assert resource.effects(_changes(state, resource)) == effects


def test_plan_of_a_replica_that_is_down_speaks_of_no_clone() -> None:
    assert REPLICA.effects(_changes(DOWN)) == ["seeded: not known while it is down → yes"]


def test_server_that_is_down_is_not_taken_for_one_with_data_of_its_own() -> None:
    assert any("CLONE INSTANCE" in text for text in _apply(DOWN).statements)


def test_primary_is_opened_before_anybody_follows_it() -> None:
    assert REPLICA.requires == (("web-01", PRIMARY_ID),)


def test_blank_server_is_seeded_and_follows() -> None:
    statements = _apply(BLANK).statements
    order = positions(
        statements,
        "STOP REPLICA",
        "SET GLOBAL super_read_only = OFF",
        "SET GLOBAL clone_valid_donor_list = '192.168.56.11:3306'",
        "CLONE INSTANCE FROM 'clone'@'192.168.56.11':3306",
        "CHANGE REPLICATION SOURCE TO",
        READ_ONLY,
        "START REPLICA",
    )
    assert order == sorted(order)
    assert (
        next(text for text in statements if "CLONE INSTANCE" in text)
        .rstrip("; ")
        .endswith("REQUIRE SSL")
    )


def test_following_is_by_gtid_over_verified_tls() -> None:
    (follow,) = [text for text in _apply(BLANK).statements if "CHANGE REPLICATION" in text]
    for option in (
        "SOURCE_HOST = '192.168.56.11'",
        "SOURCE_AUTO_POSITION = 1",
        "SOURCE_SSL = 1",
        "SOURCE_SSL_VERIFY_SERVER_CERT = 1",
        "SOURCE_SSL_CA = '/etc/mysql/tls/ca.pem'",
    ):
        assert option in follow


@pytest.mark.parametrize("sign", ["ERROR 2013", "ERROR 2006", "ERROR 1053", "ERROR 3707"])
def test_client_that_is_cut_off_by_the_restart_is_no_failure(sign: str) -> None:
    host = _apply(
        BLANK, answer=_restarting(QuartetError("web-02", f"mysql failed\n{sign} (HY000)"))
    )
    assert "START REPLICA" in " ".join(host.statements)


def test_clone_that_failed_is_a_failure() -> None:
    answer = _restarting(QuartetError("web-02", "ERROR 3862 (HY000): Clone Donor Error"))
    with pytest.raises(QuartetError, match="3862"):
        _apply(BLANK, answer=answer)


def test_other_source_is_followed_without_a_clone() -> None:
    state = replace(GOOD, source=replace(SOURCE, host="192.168.56.13"))
    statements = _apply(state).statements
    stop, change, read_only, start = positions(
        statements, "STOP REPLICA", "CHANGE REPLICATION", READ_ONLY, "START REPLICA"
    )
    assert stop < change < read_only < start
    assert not any("CLONE" in text or "RESET" in text for text in statements)


def test_replica_that_takes_writes_is_closed_and_keeps_its_source() -> None:
    statements = _apply(replace(GOOD, super_read_only=False)).statements
    assert statements[0] == READ_ONLY
    assert not any("CHANGE" in text or "CLONE" in text for text in statements)


def test_receiver_connects_anew_to_acknowledge() -> None:
    statements = _apply(replace(GOOD, semi_sync_replica=False)).statements
    order = positions(
        statements,
        "SET GLOBAL rpl_semi_sync_replica_enabled = ON",
        "STOP REPLICA IO_THREAD",
        "START REPLICA",
    )
    assert order == sorted(order)


def test_errant_transactions_are_refused_and_nothing_is_run() -> None:
    host = RecordingHost(database(ERRANT))
    with pytest.raises(QuartetError) as caught:
        WITH_ERRANT.apply(host, {})
    assert host.calls == []
    assert f"transactions that the primary web-01 lacks: 2 ({OWN}:1-2)" in caught.value.what
    assert "provision --reclone web-02" in caught.value.next_step


def test_errant_transactions_are_cloned_away_where_that_is_allowed() -> None:
    statements = _apply(ERRANT, replace(WITH_ERRANT, reclone=True)).statements
    clone, change = positions(statements, "CLONE INSTANCE", "CHANGE REPLICATION")
    assert clone < change


def test_reclone_of_a_good_replica_does_nothing_to_its_data() -> None:
    statements = _apply(replace(GOOD, super_read_only=False), replace(REPLICA, reclone=True))
    assert not any("CLONE" in text for text in statements.statements)


def test_replication_that_stopped_says_why_and_what_to_do() -> None:
    with pytest.raises(QuartetError, match="purged binary logs") as caught:
        _apply(BROKEN, after=BROKEN)
    assert "--reclone web-02" in caught.value.next_step


def test_replica_whose_replication_broke_is_cloned_anew_on_demand() -> None:
    statements = _apply(BROKEN, replace(REPLICA, reclone=True)).statements
    assert any("CLONE INSTANCE" in text for text in statements)


def test_replica_that_connects_is_waited_for() -> None:
    connecting = replace(GOOD, receiver="CONNECTING", error="error 2003: can't connect")
    host = RecordingHost(
        *map(database, (connecting, connecting, connecting, GOOD)), answer=_restarting()
    )
    REPLICA.apply(host, {})
    assert "START REPLICA" in " ".join(host.statements)


@pytest.mark.parametrize("state", [BLANK, ERRANT, replace(GOOD, source=None)])
def test_no_password_of_a_replica_is_on_a_command_line(state: DatabaseState) -> None:
    calls = _apply(state, replace(WITH_ERRANT, reclone=True)).calls
    assert not any(account.password in call.script for account in ACCOUNTS for call in calls)
    assert not any(account.password in repr(REPLICA) for account in ACCOUNTS)


def test_server_with_data_of_its_own_is_not_cloned_over_unasked() -> None:
    foreign = replace(BLANK, schemas=("shop",))
    with pytest.raises(QuartetError, match="shop") as caught:
        _apply(foreign)
    assert "--reclone web-02" in caught.value.next_step
    statements = _apply(foreign, replace(REPLICA, reclone=True)).statements
    assert any("CLONE INSTANCE" in text for text in statements)
