"""The primary: the order in which it is promoted, opened and given its accounts."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from provision.errors import QuartetError
from provision.mysql.accounts import accounts_for
from provision.mysql.gtid import GtidSet
from provision.mysql.primary import PRIMARY_ID, Lossless, Primary
from provision.mysql.state import DatabaseState, Source
from provision.resources import changed_keys
from provision.secrets import SecretStore
from tests.recording_host import RecordingHost, database, positions

ACCOUNTS = accounts_for(IPv4Network("192.168.56.0/24"), SecretStore(None))
PRIMARY = Primary(ACCOUNTS, is_followed=True)
FIRST_TIME = Primary(ACCOUNTS, is_followed=False)
BLANK = DatabaseState(answers=True)
GOOD = DatabaseState(
    answers=True,
    super_read_only=False,
    read_only=False,
    semi_sync_source=True,
    gtid_executed=GtidSet("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9"),
    accounts={account.key: account.fingerprint for account in ACCOUNTS},
)
FENCED = replace(GOOD, super_read_only=True, read_only=True)
REPLICA = replace(FENCED, source=Source("192.168.56.11", "replication", True, True, True))
OFF = "SET GLOBAL rpl_semi_sync_source_enabled = OFF"
ON = "SET GLOBAL rpl_semi_sync_source_enabled = ON"
COUNT = "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count"
OPEN = "SET GLOBAL super_read_only = OFF"


def _apply(state: DatabaseState, waited: str = "0\n", primary: Primary = PRIMARY) -> RecordingHost:
    def answer(script: str, stdin: str) -> str:
        return waited if "WAIT_FOR_EXECUTED_GTID_SET" in stdin else ""

    host = RecordingHost(database(state), answer=answer)
    primary.apply(host, changed_keys(primary, database(state)) or {"takes writes": "no"})
    return host


def _changes(state: DatabaseState) -> dict[str, str]:
    return changed_keys(PRIMARY, database(state))


def test_primary_as_it_should_be_has_nothing_to_change() -> None:
    assert _changes(GOOD) == {}


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (FENCED, {"takes writes": "no"}),
        (REPLICA, {"follows": "192.168.56.11", "takes writes": "no"}),
        (
            replace(GOOD, accounts=dict(GOOD.accounts) | {ACCOUNTS.clone.key: "0" * 64}),
            {"account clone": "0" * 16},
        ),
    ],
)
def test_what_differs_is_named(state: DatabaseState, changes: dict[str, str]) -> None:
    assert _changes(state) == changes


@pytest.mark.parametrize(
    ("state", "effects"),
    [
        (FENCED, ["takes writes: no → yes"]),
        (REPLICA, ["follows: 192.168.56.11 → nobody", "takes writes: no → yes"]),
        (
            replace(GOOD, accounts=dict(GOOD.accounts) | {ACCOUNTS.clone.key: "0" * 64}),
            ["sets accounts: clone"],
        ),
        (
            replace(GOOD, accounts={}),
            ["sets accounts: replication, clone, app, app_migrate, monitor, manager"],
        ),
    ],
)
def test_plan_says_what_becomes_of_the_primary(state: DatabaseState, effects: list[str]) -> None:
    assert PRIMARY.effects(_changes(state)) == effects


def test_server_that_broke_off_is_not_taken_for_a_closed_one() -> None:
    lost = "ERROR 2013 (HY000): Lost connection to MySQL server during query"
    changes = _changes(DatabaseState(complaint=lost, read_only=False))
    assert changes["takes writes"] == f"not known: {lost}"


def test_blank_server_lacks_every_account() -> None:
    assert sorted(_changes(BLANK)) == sorted(
        ["takes writes", *(f"account {account.user}" for account in ACCOUNTS)]
    )


def test_first_accounts_are_made_without_waiting_for_a_replica() -> None:
    statements = _apply(BLANK, primary=FIRST_TIME).statements
    off, opened, database_made, account = positions(
        statements, OFF, OPEN, "CREATE DATABASE IF NOT EXISTS app", "CREATE USER"
    )
    assert off < opened < database_made < account
    assert ON not in statements
    made = [text for text in statements if text.startswith("CREATE USER")]
    assert len(made) == len(list(ACCOUNTS))


def test_later_it_waits_for_a_replica_before_it_takes_writes() -> None:
    statements = _apply(FENCED).statements
    on, opened = positions(statements, ON, OPEN)
    assert on < opened
    assert OFF not in statements
    assert not any("CREATE" in text for text in statements)


def test_server_that_was_demoted_meanwhile_stays_what_it_is() -> None:
    host = RecordingHost(database(REPLICA))
    with pytest.raises(QuartetError, match="was primary when this began"):
        PRIMARY.apply(host, {"takes writes": "no"})


def test_opening_lifts_both_kinds_of_read_only() -> None:
    statements = _apply(FENCED).statements
    assert statements.index(OPEN) < statements.index("SET GLOBAL read_only = OFF")


def test_replica_is_promoted_before_it_takes_writes() -> None:
    statements = _apply(REPLICA).statements
    order = positions(
        statements,
        "STOP REPLICA IO_THREAD",
        "SELECT WAIT_FOR_EXECUTED_GTID_SET",
        "RESET REPLICA ALL",
        ON,
        OPEN,
    )
    assert order == sorted(order)


@pytest.mark.parametrize("waited", ["1\n", "NULL\n"])
def test_replica_with_unapplied_transactions_is_not_promoted(waited: str) -> None:
    host = RecordingHost(database(REPLICA), answer=lambda script, stdin: waited)
    with pytest.raises(QuartetError, match="it was not promoted"):
        PRIMARY.apply(host, _changes(REPLICA))
    assert not any("RESET" in text or OPEN in text for text in host.statements)


def test_server_is_looked_at_anew_whatever_the_plan_said() -> None:
    host = RecordingHost(database(FENCED))
    PRIMARY.apply(host, {"follows": "192.168.56.11"})
    assert not any("REPLICA" in text for text in host.statements)
    assert OPEN in host.statements


def test_only_accounts_that_differ_are_made_again() -> None:
    stale = replace(GOOD, accounts=dict(GOOD.accounts) | {ACCOUNTS.clone.key: "old"})
    made = [text for text in _apply(stale).statements if text.startswith("CREATE USER")]
    assert len(made) == 1
    assert "'clone'" in made[0]


@pytest.mark.parametrize("state", [BLANK, FENCED, REPLICA])
def test_no_password_is_on_a_command_line(state: DatabaseState) -> None:
    calls = _apply(state).calls
    assert not any(account.password in call.script for account in ACCOUNTS for call in calls)


def test_lossless_is_switched_on_last_and_seen() -> None:
    lossless = Lossless("web-01")
    host = RecordingHost(database(GOOD))
    assert changed_keys(lossless, database(GOOD)) == {}
    assert changed_keys(lossless, database(BLANK)) == {"waits for replicas": "0"}
    lossless.apply(host, {})
    assert host.statements == [f"{COUNT} = 1", ON]
    assert lossless.requires == (("web-01", PRIMARY_ID),)
    assert PRIMARY_ID in lossless.triggers


def test_primary_of_five_waits_for_two_replicas() -> None:
    lossless = Lossless("web-01", acknowledgements=2)
    host = RecordingHost(database(GOOD))
    assert changed_keys(lossless, database(GOOD)) == {"waits for replicas": "1"}
    assert changed_keys(lossless, database(replace(GOOD, acknowledgements=2))) == {}
    lossless.apply(host, {})
    assert host.statements == [f"{COUNT} = 2", ON]


def test_primary_without_replicas_waits_for_none() -> None:
    alone = Lossless("web-01", acknowledgements=0)
    host = RecordingHost(database(GOOD))
    assert changed_keys(alone, database(GOOD)) == {"waits for replicas": "1"}
    assert changed_keys(alone, database(BLANK)) == {}
    alone.apply(host, {})
    # MySQL takes no count below 1.
    assert host.statements == [f"{COUNT} = 1", OFF]
