"""A database server with a life of its own."""

import pytest

from provision.distribution import SERVER_PACKAGE
from provision.refusals import facts, refusals
from provision.resources.facts import parse_answers
from provision.topology import Topology
from tests.refusals.refusal_parts import NOTES, Server, questions, refused
from tests.site_parts import TOPOLOGY, variant

MEMBER, OTHERS = str(TOPOLOGY.machine("web-01").address), "10.9.9.9"
DEBIAN = "family=debian\ntitle=Debian GNU/Linux 12\n"
MYSQL = "installed=mysql-server-8.4\n"
WITH_DATA = f"{MYSQL}data=yes\n"
CONFIGURATION = "configured\ngtid\t\n"
ANSWERS = "gtid\t\n"
OUR_ACCOUNT = "account\treplication\t192.168.56.0/255.255.255.0\tf00d\n"
OUR_CONFIG = "/etc/mysql/mysql.conf.d/quartet.cnf"


def _alone() -> Topology:
    """The same, with a primary and no replica."""
    machines = [each for each in TOPOLOGY.machines if not each.is_database]
    primary = TOPOLOGY.databases[0]
    return variant(machines=(*machines, primary))


@pytest.mark.parametrize("package", ["mariadb-server", "mysql-community-server"])
def test_another_server_is_not_replaced(package: str) -> None:
    (what,) = refused("db-03", server_package=f"installed={package}\n")
    assert what.startswith(f"{package} is installed; MySQL would take its place")


def test_mysql_of_the_distribution_is_taken_over() -> None:
    running = f"{CONFIGURATION}version\t8.0.44-0ubuntu0.22.04.1\n"
    assert refused("db-03", server_package=MYSQL, mysql=running) == []


def test_machines_without_a_database_may_have_any_server() -> None:
    asked = {
        name: {fact.kind.name for fact in facts(TOPOLOGY.machine(name))}
        for name in ("db-03", "lb-01")
    }
    assert SERVER_PACKAGE.kind.name in asked["db-03"]
    assert SERVER_PACKAGE.kind.name not in asked["lb-01"]


def test_data_that_no_server_belongs_to_are_not_initialised_over() -> None:
    (what,) = refused("db-03", server_package="installed=\ndata=yes\ncandidate=8.4.6\n")
    assert what.startswith("/var/lib/mysql holds data")


def test_data_of_ours_are_where_its_package_is_gone() -> None:
    package = "installed=\ndata=yes\ncandidate=8.4.6\n"
    assert refused("db-03", server_package=package, mysql="configured\n") == []


def test_release_without_mysql_is_told_with_those_that_have_it() -> None:
    package = "installed=\ncandidate=none\n"
    (what,) = refused("db-03", distribution=DEBIAN, server_package=package)
    assert what.startswith("Debian GNU/Linux 12 has no MySQL server to install")


@pytest.mark.parametrize("candidate", ["candidate=8.4.6\n", ""])
def test_server_that_can_be_installed_or_nobody_knows_is_no_obstacle(candidate: str) -> None:
    assert refused("db-03", server_package=f"installed=\n{candidate}") == []


@pytest.mark.parametrize(
    ("version", "is_old"),
    [("5.7.44-log", True), ("8.0.25", True), ("8.0.26", False), ("9.1.0", False), ("", False)],
)
def test_server_older_than_the_words_we_use_isrefused(version: str, is_old: bool) -> None:
    state = f"gtid\t\nversion\t{version}\n"
    said = refused("db-03", server_package=MYSQL, mysql=state)
    assert said == ([f"runs MySQL {version}, older than 8.0.26"] if is_old else [])


class TestServerThatDoesNotAnswer:
    """It has data that nobody can be asked about."""

    def test_is_refused_on_first_contact(self) -> None:
        (what,) = refused("db-03", server_package=WITH_DATA)
        assert what == "its MySQL server has data and does not let root ask it over its socket"

    def test_is_ours_to_start_where_it_was_ours(self) -> None:
        assert refused("db-03", server_package=WITH_DATA, mysql="configured\n") == []

    def test_is_no_obstacle_where_it_has_nothing(self) -> None:
        assert refused("db-03", server_package=MYSQL) == []

    def test_is_no_obstacle_where_it_answers_after_all(self) -> None:
        assert refused("db-03", server_package=WITH_DATA, mysql=ANSWERS) == []

    def test_is_refused_with_its_complaint_where_it_broke_off(self) -> None:
        broken = "variable\tread_only\tON\nschema\tshop\nfailed\tERROR 2013 (HY000): Lost\n"
        (what,) = refused("db-03", server_package=WITH_DATA, mysql=broken)
        assert what.endswith("broke off when it was asked for its state: ERROR 2013 (HY000): Lost")

    def test_is_told_to_be_old_where_that_is_why_it_broke_off(self) -> None:
        broken = "variable\tread_only\tON\nversion\t5.7.44\nfailed\tERROR 1109 (42S02)\n"
        (what,) = refused("db-03", server_package=WITH_DATA, mysql=broken)
        assert what == "runs MySQL 5.7.44, older than 8.0.26"

    @pytest.mark.parametrize(
        ("folder", "refusals_of_it"),
        [("shop", 1), ("app", 1), ("mysql", 0), ("sys", 0), ("#innodb_redo", 0)],
    )
    def test_is_known_by_the_databases_in_its_folder(
        self, folder: str, refusals_of_it: int, server: Server
    ) -> None:
        server.says("dpkg-query", "mysql-server-8.4 ii ")
        server.folder(f"/var/lib/mysql/{folder}")
        assert len(server.refused("db-03")) == refusals_of_it

    def test_is_known_by_its_process(self, server: Server) -> None:
        server.says("dpkg-query", "mysql-server-8.4 ii ")
        server.file("/var/lib/mysql/ibdata1")
        assert server.refused("db-03") == []
        server.program("pgrep", "exit 0")
        assert len(server.refused("db-03")) == 1
        server.says("mysql", ANSWERS)
        assert server.refused("db-03") == []

    def test_replica_of_somebody_else_is_known_by_its_relay_logs(self, server: Server) -> None:
        server.says("dpkg-query", "mysql-server-8.4 ii ")
        server.file("/var/lib/mysql/db7-relay-bin.000002")
        (what,) = server.refused("db-03")
        assert what.startswith("its MySQL server has data")

    def test_is_known_by_data_behind_a_link(self, server: Server) -> None:
        server.says("dpkg-query", "mysql-server-8.4 ii ")
        server.folder("/data/shop")
        data = server.root / "var/lib/mysql"
        data.rmdir()
        data.symlink_to(server.root / "data")
        (what,) = server.refused("db-03")
        assert what.startswith("its MySQL server has data")

    def test_is_refused_where_its_data_are_elsewhere(self, server: Server) -> None:
        server.says("dpkg-query", "mysql-server-8.4 ii ")
        server.says("my_print_defaults", "--datadir=/data/mysql")
        (what,) = server.refused("db-03")
        assert what.startswith("its MySQL is configured to have its data in /data/mysql")
        server.file(f"{NOTES}{OUR_CONFIG}")
        assert server.refused("db-03") == []

    def test_is_ours_by_its_data_and_our_configuration_alone(self, server: Server) -> None:
        """As where a setting has changed: the stamp is gone until MySQL has loaded it."""
        server.says("dpkg-query", "mysql-server-8.4 ii ")
        server.folder("/var/lib/mysql/app")
        assert len(server.refused("db-03")) == 1
        server.file(f"{NOTES}/etc/app/environment")
        assert len(server.refused("db-03")) == 1
        server.file(f"{NOTES}{OUR_CONFIG}")
        assert server.refused("db-03") == []


class TestContents:
    """What would be lost or overwritten."""

    def test_database_of_our_name_is_somebody_elses(self) -> None:
        (what,) = refused("db-03", server_package=WITH_DATA, mysql=f"{ANSWERS}schema\tapp\n")
        assert what == "its MySQL server has a database 'app' already, and not from Quartet"

    def test_database_of_our_name_is_found_on_the_server(self, server: Server) -> None:
        server.says("dpkg-query", "mysql-server-8.4 ii ")
        server.folder("/var/lib/mysql/app")
        server.says("mysql", f"{ANSWERS}schema\tapp")
        (what,) = server.refused("db-03")
        assert "a database 'app' already" in what

    @pytest.mark.parametrize("rows", [OUR_ACCOUNT, "configured\n"], ids=["accounts", "stamp"])
    def test_database_of_ours_is_no_obstacle(self, rows: str) -> None:
        state = f"{ANSWERS}schema\tapp\n{rows}"
        assert refused("db-03", server_package=WITH_DATA, mysql=state) == []

    def test_other_databases_live_on(self) -> None:
        state = f"{ANSWERS}schema\tshop\n"
        assert refused("db-03", server_package=WITH_DATA, mysql=state) == []

    def test_table_that_no_replica_would_get_is_told(self) -> None:
        state = f"{ANSWERS}schema\tshop\nengine\tshop.basket\n"
        (what,) = refused("db-03", server_package=WITH_DATA, mysql=state)
        assert what.startswith("the table shop.basket is not InnoDB")

    def test_any_table_is_right_where_nobody_replicates(self) -> None:
        topology, state = _alone(), f"{ANSWERS}schema\tshop\nengine\tshop.basket\n"
        (only,) = topology.databases
        assert refused(only.name, topology, server_package=WITH_DATA, mysql=state) == []

    def test_table_in_a_system_of_ours_is_its_owners_business(self) -> None:
        state = f"{CONFIGURATION}schema\tapp\nengine\tapp.basket\n"
        assert refused("db-03", server_package=WITH_DATA, mysql=state) == []


@pytest.mark.parametrize(
    ("host", "name", "shown"),
    [
        (OTHERS, "", f"from {OTHERS}, which"),
        (OTHERS, "reports", f"from {OTHERS} (channel 'reports'), which"),
        (MEMBER, "reports", f"from {MEMBER} (channel 'reports'), which"),
    ],
)
def test_source_that_is_not_ours_is_left_alone(host: str, name: str, shown: str) -> None:
    state = f"{CONFIGURATION}channel\t{host}\t{name}\n"
    (what,) = refused("db-03", server_package=MYSQL, mysql=state)
    assert shown in what


def test_every_source_is_told() -> None:
    state = f"{CONFIGURATION}channel\t{OTHERS}\ta\nchannel\t{MEMBER}\t\nchannel\t{OTHERS}\tb\n"
    assert len(refused("db-03", server_package=MYSQL, mysql=state)) == 2


@pytest.mark.parametrize("row", [f"channel\t{MEMBER}\t\n", f"channel\t{MEMBER}\n", ""])
def test_source_of_this_system_is_no_obstacle(row: str) -> None:
    assert refused("db-03", server_package=MYSQL, mysql=CONFIGURATION + row) == []


def _source(host: str, user: str) -> str:
    return f"channel\t{host}\t\nsource\t{host}\t{user}\tYES\tYES\t1\n"


def test_former_primary_of_ours_is_no_foreign_source() -> None:
    """It was removed from the file; whoever follows it still is one of ours."""
    state = f"{CONFIGURATION}{OUR_ACCOUNT}{_source(OTHERS, 'replication')}"
    assert refused("db-03", server_package=WITH_DATA, mysql=state) == []


@pytest.mark.parametrize(
    "rows",
    [
        _source(OTHERS, "replication"),
        OUR_ACCOUNT + _source(OTHERS, "repl"),
        OUR_ACCOUNT + _source(OTHERS, "replication").replace("\t\n", "\treports\n"),
    ],
    ids=["without our accounts", "with another account", "with a name"],
)
def test_source_that_only_looks_like_ours_is_left_alone(rows: str) -> None:
    (what,) = refused("db-03", server_package=WITH_DATA, mysql=f"{CONFIGURATION}{rows}")
    assert f"replicates from {OTHERS}" in what


def test_nobody_is_told_to_end_replication_before_all_is_applied() -> None:
    """RESET REPLICA throws away what was received and not applied yet."""
    machine = TOPOLOGY.machine("db-03")
    said = f"\n--quartet-fact mysql\n{ANSWERS}{_source(OTHERS, 'repl')}"
    (error,) = refusals(TOPOLOGY, {"db-03": parse_answers(questions(machine), said)})
    before, reset, _ = error.next_step.partition("RESET REPLICA")
    assert reset
    assert "let it apply all that it received" in before


class TestReplicaOfItsOwn:
    """Our settings for TLS and GTIDs would end what somebody has set up."""

    @pytest.mark.parametrize("host", [f"{OTHERS}:51234", "localhost"])
    def test_is_not_cut_off(self, host: str) -> None:
        state = f"{ANSWERS}reader\trepl\t{host}\n"
        (what,) = refused("db-03", server_package=WITH_DATA, mysql=state)
        assert f"is the source of repl@{host.partition(':')[0]}, which isn't in" in what

    def test_is_told_once_each(self) -> None:
        rows = "".join(f"reader\trepl\t{host}\n" for host in ("a:1", "b:2", "a:3"))
        assert len(refused("db-03", server_package=WITH_DATA, mysql=ANSWERS + rows)) == 2

    @pytest.mark.parametrize(
        "rows",
        [
            f"reader\trepl\t{MEMBER}:51234\n",
            f"{OUR_ACCOUNT}reader\treplication\t{OTHERS}:51234\n",
            f"configured\nreader\trepl\t{OTHERS}:51234\n",
        ],
        ids=["in the file", "with our account", "of a server of ours"],
    )
    def test_is_no_obstacle_where_it_is_ours(self, rows: str) -> None:
        assert refused("db-03", server_package=WITH_DATA, mysql=ANSWERS + rows) == []

    @pytest.mark.parametrize("row", ["reader\trepl", f"{OUR_ACCOUNT}reader\trepl"])
    def test_is_somebodys_with_another_account(self, row: str) -> None:
        state = f"{ANSWERS}{row}\t{OTHERS}:51234\n"
        assert len(refused("db-03", server_package=WITH_DATA, mysql=state)) == 1

    def test_is_asked_for_on_a_server_that_is_new_alone(self, server: Server) -> None:
        server.says("dpkg-query", "mysql-server-8.4 ii ")
        question = f"if grep -q 'Binlog Dump GTID'; then echo 'reader\trepl\t{OTHERS}:51234'; fi"
        server.program("mysql", f"{question}; printf 'gtid\\t\\n'")
        (what,) = server.refused("db-03")
        assert f"is the source of repl@{OTHERS}" in what
        server.file("/var/lib/quartet/loaded/mysql.service")
        assert server.refused("db-03") == []
