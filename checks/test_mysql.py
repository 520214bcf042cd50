"""Each database server for itself: settings, network, accounts."""

import re

import pymysql
import pytest

from checks import services
from checks.databases import Database, ServerState, error_number, words
from checks.expectations import UnmetError, expect, expect_equal
from checks.lab import Lab
from provision.topology import Machine

pytestmark = [
    pytest.mark.area("database"),
    pytest.mark.look("journalctl -u mysql -n 50"),
    pytest.mark.asks_mysql,
]

ER_ACCESS_DENIED = 1045
ER_HOST_NOT_PRIVILEGED = 1130
ER_TABLE_ACCESS_DENIED = 1142
ER_ACCESS_DENIED_NO_PASSWORD = 1698
ER_SECURE_TRANSPORT_REQUIRED = 3159

SETTINGS = {
    "gtid_mode": "ON",
    "enforce_gtid_consistency": "ON",
    "binlog_format": "ROW",
    "log_bin": "ON",
    "log_replica_updates": "ON",
    "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "1",
    "require_secure_transport": "ON",
    "skip_name_resolve": "ON",
}
GRANTS = {
    "app": {"*.*": {"USAGE"}, "app.*": {"SELECT", "INSERT", "UPDATE", "DELETE"}},
    "app_migrate": {
        "*.*": {"USAGE"},
        "app.*": {"SELECT", "INSERT", "UPDATE", "DELETE"}
        | {"CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"},
    },
    "clone": {"*.*": {"USAGE", "BACKUP_ADMIN"}},
    "manager": {
        "*.*": {"RELOAD", "PROCESS", "REPLICATION CLIENT", "REPLICATION SLAVE"}
        | {"SYSTEM_VARIABLES_ADMIN", "REPLICATION_SLAVE_ADMIN", "CONNECTION_ADMIN"},
        "performance_schema.*": {"SELECT"},
    },
    "monitor": {
        "*.*": {"PROCESS", "REPLICATION CLIENT"},
        "performance_schema.*": {"SELECT"},
    },
    "replication": {"*.*": {"REPLICATION SLAVE"}},
}
GRANT = re.compile(
    r"GRANT (?P<privileges>.+) ON (?P<where>\S+) TO `(?P<user>\w+)`@`(?P<host>[^`]*)`"
)


@pytest.fixture
def state(lab: Lab, database: Machine) -> ServerState:
    state = lab.states[database.name]
    assert isinstance(state, ServerState)
    return state


@pytest.mark.without_answer
def test_mysql_is_installed(lab: Lab, database: Machine) -> None:
    services.expect_installed(lab, database, "mysql-server")


@pytest.mark.without_answer
def test_mysql_runs_now_and_after_a_boot(lab: Lab, database: Machine) -> None:
    services.expect_running(lab, database, "mysql")


@pytest.mark.without_answer
def test_configuration_is_valid(lab: Lab, database: Machine) -> None:
    services.expect_valid(lab, database, "mysql configuration", "mysqld --validate-config")


@pytest.mark.without_answer
def test_listens_on_the_private_address_alone(lab: Lab, database: Machine) -> None:
    facts, port = lab.facts[database.name], lab.topology.ports.mysql
    if lab.is_ours_alone:
        mysql = {str(port), f"{port}0", "33060", "33062"}
        found = {each for each in facts.listening if each.rpartition(":")[2] in mysql}
    else:
        # Other servers of somebody's may listen on such ports, in a container for one.
        found = facts.listening_of("mysql.service")
    expect_equal("MySQL's sockets", found, {f"tcp {database.address}:{port}"}, look="ss -lntp")


@pytest.mark.look("grep -r . /etc/mysql/mysql.conf.d")
@pytest.mark.parametrize("variable", SETTINGS)
def test_setting_is_as_it_must_be(state: ServerState, database: Machine, variable: str) -> None:
    expect_equal(variable, state.variables.get(variable), SETTINGS[variable])


@pytest.mark.look("grep -r server_id /etc/mysql")
def test_server_id_is_the_topologys(state: ServerState, database: Machine) -> None:
    expect_equal("server_id", state.variables["server_id"], str(database.server_id))


@pytest.mark.look("cat /var/lib/mysql/auto.cnf")
def test_server_uuid_is_its_own(lab: Lab, state: ServerState, database: Machine) -> None:
    mine = state.variables["server_uuid"]
    same = {
        name
        for name, other in lab.states.items()
        if isinstance(other, ServerState) and other.variables["server_uuid"] == mine
    }
    expect_equal(f"servers with the UUID {mine}", same, {database.name})


@pytest.mark.look("ls -la /etc/mysql/tls")
@pytest.mark.without_answer
def test_private_key_is_mysqls_alone(lab: Lab, database: Machine) -> None:
    modes = lab.facts[database.name].modes
    found = {path: modes.get(path) for path in ("/etc/mysql/tls", "/etc/mysql/tls/server-key.pem")}
    expected = {
        "/etc/mysql/tls": ("750", "mysql:mysql"),
        "/etc/mysql/tls/server-key.pem": ("600", "mysql:mysql"),
    }
    expect_equal("mode and owner", found, expected)


def test_network_accounts_are_the_planned_ones_and_need_tls(lab: Lab, database: Machine) -> None:
    rows = [line.split("\t") for line in lab.facts[database.name]["mysql accounts"].lines]
    network = lab.topology.network.with_netmask
    found = {
        f"{user}@{host}": (ssl_type or [""])[0] or "no TLS"
        for user, host, *ssl_type in rows
        if host != "localhost" and (lab.is_ours_alone or (user in GRANTS and host == network))
    }
    look = "mysql -e 'SELECT user, host, ssl_type FROM mysql.user'"
    expected = dict.fromkeys((f"{user}@{network}" for user in GRANTS), "ANY")
    expect_equal("accounts that may come over the network", found, expected, look=look)


@pytest.mark.parametrize("account", GRANTS)
def test_account_may_do_what_its_task_needs_and_no_more(
    lab: Lab, database: Machine, account: str
) -> None:
    found: dict[str, set[str]] = {}
    whose = (account, lab.topology.network.with_netmask)
    for line in lab.facts[database.name]["mysql grants"].lines:
        grant = GRANT.match(line)
        if grant and (grant["user"], grant["host"]) == whose:
            where = grant["where"].replace("`", "")
            option = {"GRANT OPTION"} if line.endswith("WITH GRANT OPTION") else set()
            # Of the dynamic ones MySQL makes a line of its own, with bare commas.
            privileges = grant["privileges"].replace(", ", ",").split(",")
            found.setdefault(where, set()).update(privileges, option)
    look = "mysql -e 'SELECT * FROM information_schema.schema_privileges'"
    expect_equal(f"privileges of {account}", found, GRANTS[account], look=look)


def test_connection_without_tls_is_refused(lab: Lab, database: Machine) -> None:
    # With TLS the same password opens the door, so that what is refused is plain text alone.
    encrypted = refusal(lab.databases[database.name], "app")
    plain = refusal(lab.databases[database.name], "app", tls=False)
    expect_equal("error of a login with TLS", encrypted, None)
    refusals = (ER_ACCESS_DENIED, ER_SECURE_TRANSPORT_REQUIRED)
    expect(plain in refusals, expected=f"without TLS one of the errors {refusals}", found=plain)


def test_root_can_not_log_in_over_the_network(lab: Lab, database: Machine) -> None:
    found = refusal(lab.databases[database.name], "root", password="")
    refusals = (ER_ACCESS_DENIED, ER_HOST_NOT_PRIVILEGED, ER_ACCESS_DENIED_NO_PASSWORD)
    expect(found in refusals, expected=f"one of the errors {refusals}", found=found)


def test_wrong_password_is_refused(lab: Lab, database: Machine) -> None:
    found = refusal(lab.databases[database.name], "app", password="not the password")
    expect_equal("what a login with a wrong password gets", found, ER_ACCESS_DENIED)


def test_monitor_can_not_read_what_people_wrote(lab: Lab, board: None, database: Machine) -> None:
    found = attempt(lab.databases[database.name], "monitor", "SELECT * FROM app.messages LIMIT 1")
    expect_equal("error of the monitor's SELECT", found, ER_TABLE_ACCESS_DENIED)


def test_application_can_not_create_tables(lab: Lab, primary: Machine) -> None:
    statement = "CREATE TABLE app.inv_verify (id INT)"
    found = attempt(lab.databases[primary.name], "app", statement)
    if found is None:
        lab.root(primary).check_output("mysql --execute=%s", "DROP TABLE app.inv_verify")
    expect_equal("error of the application's CREATE TABLE", found, ER_TABLE_ACCESS_DENIED)


def test_application_can_not_read_the_accounts(lab: Lab, database: Machine) -> None:
    found = attempt(lab.databases[database.name], "app", "SELECT user FROM mysql.user LIMIT 1")
    expect_equal("error of the application's SELECT", found, ER_TABLE_ACCESS_DENIED)


def refusal(
    database: Database, user: str, *, tls: bool = True, password: str | None = None
) -> int | None:
    """Return the number of the error that a login gets, or None if it gets in."""
    try:
        database.connect(user, tls=tls, password=password).close()
    except pymysql.err.OperationalError as error:
        return error_number(error)
    return None


def attempt(database: Database, user: str, statement: str) -> int | None:
    """Return the number of the error that a statement gets, or None if it is carried out."""
    try:
        database.rows(statement, user=user)
    except pymysql.err.MySQLError as error:
        number = error_number(error)
        if number >= 2000 and number < 3000:
            said = words(error)
            raise UnmetError(f"an answer to {user}", said) from error
        return number
    return None
