"""Accounts, their fingerprints, and SQL that holds no surprises."""

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from provision.errors import QuartetError
from provision.mysql.accounts import Account, accounts_for
from provision.mysql.literals import literal
from provision.mysql.sql import ALL_DONE, execute, rows
from provision.secrets import SecretStore
from tests.local_host import LocalHost, write_program
from tests.recording_host import RecordingHost

ACCOUNT = Account("app", IPv4Network("192.168.56.0/24"), "s3cret", ("SELECT ON app.*", "X ON *.*"))


def test_account_is_made_exactly_so_and_marked_last() -> None:
    name = "'app'@'192.168.56.0/255.255.255.0'"
    assert ACCOUNT.statements() == [
        f"CREATE USER IF NOT EXISTS {name} IDENTIFIED BY 's3cret' REQUIRE SSL",
        f"ALTER USER {name} IDENTIFIED BY 's3cret' REQUIRE SSL",
        f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {name}",
        f"GRANT SELECT ON app.* TO {name}",
        f"GRANT X ON *.* TO {name}",
        f'ALTER USER {name} ATTRIBUTE \'{{"quartet": "{ACCOUNT.fingerprint}"}}\'',
    ]


def test_host_is_in_the_netmask_notation() -> None:
    assert ACCOUNT.host == "192.168.56.0/255.255.255.0"
    assert ACCOUNT.key == "app@192.168.56.0/255.255.255.0"


@pytest.mark.parametrize(
    "other",
    [
        replace(ACCOUNT, password="other"),
        replace(ACCOUNT, grants=("SELECT ON app.*",)),
        replace(ACCOUNT, user="other"),
        replace(ACCOUNT, network=IPv4Network("10.0.0.0/8")),
    ],
    ids=["password", "grants", "user", "network"],
)
def test_fingerprint_changes_with_anything_that_the_account_is_made_of(other: Account) -> None:
    assert other.fingerprint != ACCOUNT.fingerprint


def test_fingerprint_and_repr_give_no_password_away() -> None:
    assert "s3cret" not in repr(ACCOUNT)
    assert "s3cret" not in ACCOUNT.fingerprint


def test_each_account_has_a_password_of_its_own_which_stays() -> None:
    store = SecretStore(None)
    network = IPv4Network("192.168.56.0/24")
    accounts = list(accounts_for(network, store))
    assert len({account.password for account in accounts}) == len(accounts) == 6
    assert list(accounts_for(network, store)) == accounts


def test_no_account_may_do_everything() -> None:
    accounts = accounts_for(IPv4Network("192.168.56.0/24"), SecretStore(None))
    grants = [grant for account in accounts for grant in account.grants]
    assert not any(word in grant for grant in grants for word in ("ALL", "SUPER", "GRANT OPTION"))
    assert accounts.application.grants == ("SELECT, INSERT, UPDATE, DELETE ON app.*",)


def test_manager_of_roles_can_not_see_what_people_wrote() -> None:
    accounts = accounts_for(IPv4Network("192.168.56.0/24"), SecretStore(None))
    everywhere, views = accounts.manager.grants
    privileges, _, where = everywhere.partition(" ON ")
    assert where == "*.*"
    assert not {"SELECT", "INSERT", "UPDATE", "DELETE", "FILE"} & set(privileges.split(", "))
    assert views == "SELECT ON performance_schema.*"


@pytest.mark.parametrize(
    ("text", "quoted"), [("", "''"), ("plain", "'plain'"), ("it's", "'it''s'"), ("''", "''''''")]
)
def test_literal_is_quoted(text: str, quoted: str) -> None:
    assert literal(text) == quoted


def test_literal_with_a_backslash_is_refused() -> None:
    with pytest.raises(ValueError, match="NO_BACKSLASH_ESCAPES"):
        literal("a\\'")


def test_statements_go_in_by_standard_input_alone() -> None:
    host = RecordingHost(answer=lambda script, stdin: "1\ttwo\n3\t\n")
    assert execute(host, "SELECT 's3cret'", "SELECT 2", timeout_s=7) == [["1", "two"], ["3", ""]]
    call = host.calls[0]
    assert call.stdin == f"SELECT 's3cret';\nSELECT 2;\nSELECT '{ALL_DONE}';\n"
    assert "s3cret" not in call.script
    assert call.script.startswith("timeout --kill-after=5 7 mysql ")
    assert call.timeout_s > 7 + 5


@pytest.mark.parametrize("answer", ["", "printf '1\\n2\\n'"], ids=["nothing", "a part"])
def test_statements_that_did_not_all_arrive_are_an_error(answer: str, tmp_path: Path) -> None:
    client = write_program(tmp_path / "bin", "mysql", f"cat > /dev/null; {answer}")
    with pytest.raises(QuartetError, match="here-01: MySQL's client ended before it had run all"):
        execute(LocalHost(client.parent), "SELECT 1", "SELECT 2")


def test_no_output_is_no_rows() -> None:
    assert rows("") == rows("\n") == []
