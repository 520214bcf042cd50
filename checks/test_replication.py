"""Replication: one primary, which the servers themselves name, and every other one follows it."""

import pymysql
import pytest

from checks.databases import ServerState, error_number
from checks.expectations import expect, expect_equal
from checks.lab import Lab
from provision.topology import Machine

pytestmark = [
    pytest.mark.asks_mysql,
    pytest.mark.area("replication"),
    pytest.mark.look("mysql -E -e 'SHOW REPLICA STATUS'"),
]

ER_READ_ONLY = 1290
CATCHES_UP_WITHIN_S = 5
# Practically for ever: MySQL's own default of 10 s falls back to asynchronous without a word.
AT_LEAST_MS = 30 * 24 * 3600 * 1000


def state_of(lab: Lab, machine: Machine) -> ServerState:
    """What the server said at the start."""
    state = lab.states[machine.name]
    assert isinstance(state, ServerState)
    return state


def acknowledgements(lab: Lab) -> int:
    """How many replicas have to have a commit: then a majority always has every one."""
    return max(1, len(lab.topology.databases) // 2)


@pytest.mark.look("./lab provision")
def test_exactly_one_database_takes_writes(lab: Lab) -> None:
    found = {
        name: state if isinstance(state, str) else "writable" if state.is_writable else "read-only"
        for name, state in lab.states.items()
    }
    expect(
        list(found.values()).count("writable") == 1,
        expected="one writable, the others read-only",
        found=", ".join(f"{name} {state}" for name, state in found.items()),
    )


def test_primary_follows_nobody(lab: Lab, primary: Machine) -> None:
    followed = state_of(lab, primary).replication.get("Source_Host")
    expect_equal("whom the primary follows", followed, None)


def test_primary_is_open_for_writes(lab: Lab, primary: Machine) -> None:
    variables = state_of(lab, primary).variables
    found = (variables["read_only"], variables["super_read_only"])
    expect_equal("read_only and super_read_only", found, ("OFF", "OFF"))


@pytest.mark.look("mysql -e 'SHOW GLOBAL STATUS' | grep Rpl_semi")
def test_commit_does_not_wait_where_there_is_no_replica(lab: Lab, lone_primary: Machine) -> None:
    found = state_of(lab, lone_primary).variables.get("rpl_semi_sync_source_enabled")
    expect_equal("semi-sync as a source", found, "OFF")


@pytest.mark.look("mysql -e 'SHOW GLOBAL STATUS' | grep Rpl_semi")
def test_commit_waits_until_enough_replicas_have_it(lab: Lab, followed_primary: Machine) -> None:
    state = state_of(lab, followed_primary)
    names = ("enabled", "wait_point", "wait_for_replica_count", "wait_no_replica")
    found = tuple(state.variables.get(f"rpl_semi_sync_source_{name}") for name in names)
    status = state.status.get("rpl_semi_sync_source_status")
    expected = ("ON", "AFTER_SYNC", str(acknowledgements(lab)), "ON", "ON")
    expect_equal(
        "semi-sync enabled, wait point, replicas to wait for, waits without one, holds now",
        (*found, status),
        expected,
    )


def test_it_would_rather_wait_for_ever_than_lose_a_commit(
    lab: Lab, followed_primary: Machine
) -> None:
    timeout_ms = int(state_of(lab, followed_primary).variables["rpl_semi_sync_source_timeout"])
    expect(
        timeout_ms >= AT_LEAST_MS,
        expected="rpl_semi_sync_source_timeout of 30 days or more",
        found=f"{timeout_ms} ms",
    )


def test_every_replica_acknowledges_to_the_primary(lab: Lab, followed_primary: Machine) -> None:
    found = state_of(lab, followed_primary).status.get("rpl_semi_sync_source_clients")
    expect_equal("replicas that acknowledge", found, str(len(lab.replicas)))


def test_replication_crosses_the_network_encrypted(lab: Lab, followed_primary: Machine) -> None:
    rows = lab.databases[followed_primary.name].rows(
        "SELECT processlist_host AS host, connection_type AS kind FROM performance_schema.threads"
        " WHERE processlist_command = 'Binlog Dump GTID'"
    )
    found = {row["host"]: row["kind"] for row in rows}
    expected = {str(replica.address): "SSL/TLS" for replica in lab.replicas}
    expect_equal("connections of replicas", found, expected)


def test_receives_and_applies_without_error(lab: Lab, replica: Machine) -> None:
    status = state_of(lab, replica).replication
    found = (status.get("Replica_IO_Running"), status.get("Replica_SQL_Running"))
    errors = [status.get("Last_IO_Error"), status.get("Last_SQL_Error")]
    expect(
        found == ("Yes", "Yes") and not any(errors),
        expected="receiver Yes, applier Yes, no error",
        found=f"receiver {found[0]}, applier {found[1]}; {' '.join(filter(None, errors))}",
    )


def test_follows_the_primary_by_gtid(lab: Lab, primary: Machine, replica: Machine) -> None:
    status = state_of(lab, replica).replication
    found = (status.get("Source_Host"), status.get("Auto_Position"))
    expect_equal("source, auto position", found, (str(primary.address), 1), at=replica)


def test_checks_the_certificate_of_the_primary(lab: Lab, replica: Machine) -> None:
    status = state_of(lab, replica).replication
    keys = ("Source_SSL_Allowed", "Source_SSL_Verify_Server_Cert", "Source_SSL_CA_File")
    found = tuple(status.get(key) for key in keys)
    expect_equal("TLS, verified, by the CA", found, ("Yes", "Yes", "/etc/mysql/tls/ca.pem"))


def test_acknowledges_what_it_receives(lab: Lab, replica: Machine) -> None:
    state = state_of(lab, replica)
    found = (
        state.status.get("rpl_semi_sync_replica_status"),
        state.variables.get("rpl_semi_sync_source_enabled"),
    )
    expect_equal("semi-sync as a replica, as a source", found, ("ON", "OFF"))


def test_is_read_only_even_for_administrators(lab: Lab, replica: Machine) -> None:
    variables = state_of(lab, replica).variables
    found = (variables["read_only"], variables["super_read_only"])
    look = "mysql -e 'SELECT @@read_only, @@super_read_only'"
    expect_equal("read_only and super_read_only", found, ("ON", "ON"), look=look)


def test_refuses_a_write_of_the_application(lab: Lab, board: None, replica: Machine) -> None:
    statement = "INSERT INTO app.messages (author, text, web) VALUES ('inv verify', 'x', 'none')"
    with lab.databases[replica.name].session("app") as connection:
        found = None
        # Rolled back whatever happens: a row that only a replica has would be an errant one.
        connection.begin()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        except pymysql.err.MySQLError as error:
            found = error_number(error)
        finally:
            connection.rollback()
    look = "mysql -e 'SELECT @@read_only, @@super_read_only'"
    expect_equal("error of an INSERT", found, ER_READ_ONLY, look=look)


def test_has_nothing_that_the_primary_has_not(lab: Lab, primary: Machine, replica: Machine) -> None:
    # The replica first: what the primary takes in between can't look errant then. And a semi-sync
    # replica may apply what the primary itself is only about to commit: its own are left out.
    executed = lab.databases[replica.name].value("SELECT @@GLOBAL.gtid_executed")
    own = "CONCAT(@@GLOBAL.server_uuid, ':1-9223372036854775806')"
    subtract = f"SELECT GTID_SUBTRACT(GTID_SUBTRACT(%s, @@GLOBAL.gtid_executed), {own})"
    errant = lab.databases[primary.name].value(subtract, executed)
    expect_equal("errant transactions", errant, "", at=replica)


def test_has_within_5_s_what_the_primary_has(lab: Lab, primary: Machine, replica: Machine) -> None:
    executed = lab.databases[primary.name].value("SELECT @@GLOBAL.gtid_executed")
    wait = "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)"
    timed_out = lab.databases[replica.name].value(wait, executed, CATCHES_UP_WITHIN_S)
    expected = f"all of {executed} within {CATCHES_UP_WITHIN_S} s"
    expect(timed_out == 0, expected=expected, found="not all of it", at=replica)
