"""What a server says of itself, read from the client's own output."""

import subprocess
from pathlib import Path

import pytest

from provision.mysql import state as mysql_state
from provision.mysql.state import (
    SERVER,
    Channel,
    DatabaseState,
    Reader,
    Source,
    database_state,
)
from provision.resources import stamps
from provision.resources.facts import Snapshot, parse_answers, script_for
from tests.local_host import LocalHost, write_program

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
VARIABLES = """\
variable\trpl_semi_sync_replica_enabled\tON
variable\trpl_semi_sync_source_enabled\t{source}
variable\tserver_uuid\t{uuid}
variable\tsuper_read_only\t{read_only}
variable\tread_only\t{read_only}
"""


def _variables(source: str = "OFF", read_only: str = "ON") -> str:
    return VARIABLES.format(source=source, read_only=read_only, uuid=UUID)


PRIMARY = f"""\
configured
{_variables("ON", "OFF")}gtid\t{UUID}:1-77
source\t\t\tNO\tNO\t0
account\tapp\t192.168.56.0/255.255.255.0\tf00d
account\tclone\t192.168.56.0/255.255.255.0\tbeef
"""
REPLICA = f"""\
configured
{_variables()}gtid\t{UUID}:1-77,{UUID}:blue:1-2
source\t192.168.56.11\treplication\tYES\tYES\t1
receiver\tON\t0\t
applier\tON
"""
REPLICA_80 = REPLICA.replace("YES\t1", "YES\tYES")
NO_ROWS = f"{_variables()}schema\tapp\ngtid\t{UUID}:1-5\n"
BLANK = f"configured\n{_variables()}gtid\t\n"


def _state(output: str) -> DatabaseState:
    return database_state(parse_answers([SERVER], f"\n--quartet-fact mysql\n{output}"))


def test_primary_is_read() -> None:
    state = _state(PRIMARY)
    assert state.is_writable_primary
    assert (state.answers, state.configured, state.server_uuid) == (True, True, UUID)
    assert (state.super_read_only, state.semi_sync_source, state.semi_sync_replica) == (
        False,
        True,
        True,
    )
    assert str(state.gtid_executed) == f"{UUID}:1-77"
    assert state.accounts == {
        "app@192.168.56.0/255.255.255.0": "f00d",
        "clone@192.168.56.0/255.255.255.0": "beef",
    }
    assert state.error == ""


def test_number_of_acknowledgements_is_read_and_is_one_by_default() -> None:
    count = "variable\trpl_semi_sync_source_wait_for_replica_count\t3\n"
    assert _state(f"{count}{PRIMARY}").acknowledgements == 3
    assert _state(PRIMARY).acknowledgements == 1


@pytest.mark.parametrize("output", [REPLICA, REPLICA_80])
def test_replica_is_read(output: str) -> None:
    state = _state(output)
    assert state.source == Source("192.168.56.11", "replication", True, True, True)
    assert (state.receiver, state.applier, state.error) == ("ON", "ON", "")
    assert state.is_member
    assert not state.is_writable_primary
    assert len(state.gtid_executed) == 79


@pytest.mark.parametrize(
    ("row", "source"),
    [
        ("source\t10.0.0.1\tu\tNO\tNO\t0", Source("10.0.0.1", "u", False, False, False)),
        ("source\t10.0.0.1\tu\tYES\tNO\t1", Source("10.0.0.1", "u", True, False, True)),
        ("source\t\t\tNO\tNO\t0", None),
    ],
)
def test_link_to_the_source_is_read(row: str, source: Source | None) -> None:
    assert _state(f"{NO_ROWS}{row}\n").source == source


def test_server_without_replication_rows_follows_nobody() -> None:
    state = _state(NO_ROWS)
    assert (state.source, state.receiver, state.applier, state.error) == (None, "OFF", "OFF", "")
    assert state.accounts == {}
    assert state.is_member


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("receiver\tCONNECTING\t2003\tcan't connect\n", "error 2003: can't connect"),
        (
            "receiver\tON\t0\t\napplier_error\t1062\tDuplicate entry\n",
            "error 1062: Duplicate entry",
        ),
        (
            "receiver\tOFF\t1236\tpurged\napplier_error\t1062\tDuplicate entry\n",
            "error 1236: purged",
        ),
        ("applier_error\t1062\tDuplicate entry\n", "error 1062: Duplicate entry"),
        ("receiver\tON\t0\t\n", ""),
    ],
)
def test_error_of_replication_is_read(rows: str, error: str) -> None:
    assert _state(f"{BLANK}{rows}").error == error


def test_blank_server_is_no_member() -> None:
    state = _state(BLANK)
    assert (state.answers, state.is_blank, state.is_member, state.is_down) == (
        True,
        True,
        False,
        False,
    )


def test_blank_server_that_takes_writes_is_no_primary() -> None:
    output = BLANK.replace("super_read_only\tON", "super_read_only\tOFF")
    assert not _state(output).is_writable_primary


@pytest.mark.parametrize(("output", "is_down"), [("configured\n", True), ("", False)])
def test_silent_server_is_down_only_if_it_was_ours(output: str, is_down: bool) -> None:
    state = _state(output)
    assert (state.answers, state.is_down, state.is_blank, state.is_member) == (
        False,
        is_down,
        False,
        False,
    )


def test_machine_that_was_not_asked_has_no_server() -> None:
    assert database_state(Snapshot({})) == _state("") or not database_state(Snapshot({})).answers


def test_servers_of_several_machines_do_not_mix() -> None:
    primary, replica, blank = (_state(each) for each in (PRIMARY, REPLICA, BLANK))
    assert (primary.source, blank.source) == (None, None)
    assert replica.source is not None
    assert (bool(primary.accounts), bool(replica.accounts)) == (True, False)


class TestScript:
    def test_script_is_sound_shell_and_holds_no_password(self) -> None:
        script = script_for([SERVER])
        assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0
        assert "password" not in script.lower()

    @pytest.mark.parametrize("answer", ["exit 1", "cat > /dev/null; echo gtid"])
    @pytest.mark.parametrize("configured", [True, False])
    def test_server_is_asked_even_where_there_is_none(
        self, answer: str, configured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "loaded").mkdir()
        monkeypatch.setattr(stamps, "LOADED", str(tmp_path / "loaded"))
        if configured:
            (tmp_path / "loaded" / "mysql.service").touch()
        programs = write_program(tmp_path / "bin", "mysql", answer).parent
        state = database_state(LocalHost(programs).read([SERVER]))
        assert (state.answers, state.configured) == ("gtid" in answer, configured)


class TestBrokenOff:
    """A server that goes away while it answers."""

    HALF = "printf 'variable\\tread_only\\tOFF\\nschema\\tapp\\n'"
    LOST = "echo 'ERROR 2013 (HY000): Lost connection' >&2; exit 1"

    @pytest.fixture(autouse=True)
    def no_waiting(self, tmp_path: Path) -> None:
        write_program(tmp_path / "bin", "sleep", f"echo slept >> {tmp_path}/slept")

    def _read(self, tmp_path: Path, answer: str) -> DatabaseState:
        write_program(tmp_path / "bin", "mysql", f"cat > /dev/null; {answer}")
        return database_state(LocalHost(tmp_path / "bin").read([SERVER]))

    def test_half_an_answer_is_none_and_says_why(self, tmp_path: Path) -> None:
        state = self._read(tmp_path, f"{self.HALF}; {self.LOST}")
        assert state.complaint == "ERROR 2013 (HY000): Lost connection"
        assert (state.answers, state.is_member, state.is_writable_primary) == (False, False, False)

    def test_server_that_comes_back_is_asked_again(self, tmp_path: Path) -> None:
        once = f"[ -e {tmp_path}/twice ] || {{ touch {tmp_path}/twice; {self.HALF}; {self.LOST}; }}"
        state = self._read(tmp_path, f"{once}; printf 'gtid\\t\\n'")
        assert (state.answers, state.complaint, state.schemas) == (True, "", ())

    def test_server_that_is_not_there_is_asked_once(self, tmp_path: Path) -> None:
        state = self._read(tmp_path, "echo 'ERROR 2002 (HY000): no socket' >&2; exit 1")
        assert (state.answers, state.complaint) == (False, "")
        assert not (tmp_path / "slept").exists()

    def test_complaint_does_not_stand_within_a_row(self, tmp_path: Path) -> None:
        state = self._read(tmp_path, f"printf 'schema\\tsh'; echo no >&2; {self.HALF}; {self.LOST}")
        assert "ERROR" not in "".join(state.schemas)


def test_server_whose_package_wrote_a_transaction_is_still_blank() -> None:
    assert _state(f"{_variables()}gtid\t{UUID}:1\n").is_blank


def test_server_with_our_accounts_is_not_blank_though_its_database_was_dropped() -> None:
    assert not _state(PRIMARY.replace("schema\tapp\n", "")).is_blank


@pytest.mark.parametrize(
    ("rows", "channels"),
    [
        ("", ()),
        ("channel\t10.0.0.1\t\n", (Channel("10.0.0.1", ""),)),
        ("channel\t10.0.0.1\n", (Channel("10.0.0.1", ""),)),
        (
            "channel\t10.0.0.1\treports\nchannel\t10.0.0.2\tshop\n",
            (Channel("10.0.0.1", "reports"), Channel("10.0.0.2", "shop")),
        ),
    ],
    ids=["none", "usual", "without its empty name", "named"],
)
def test_channels_are_read(rows: str, channels: tuple[Channel, ...]) -> None:
    assert _state(f"{BLANK}{rows}").channels == channels


def test_version_is_read() -> None:
    assert _state(f"{BLANK}version\t8.4.6-0ubuntu1\n").version == "8.4.6-0ubuntu1"
    assert _state("").version == ""


def test_table_of_another_engine_is_read() -> None:
    assert _state(f"{BLANK}engine\tshop.basket\n").other_engine == "shop.basket"
    assert _state(BLANK).other_engine == ""


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("10.9.9.9:51234", "10.9.9.9"),
        ("db7.example.com:51234", "db7.example.com"),
        ("fe80::1:51234", "fe80::1"),
        ("localhost", "localhost"),
    ],
)
def test_reader_of_the_binary_logs_is_read(host: str, shown: str) -> None:
    assert _state(f"{BLANK}reader\trepl\t{host}\n").readers == (Reader("repl", shown),)
    assert _state(BLANK).readers == ()


class TestConfigured:
    """Whether it once ran as ours, by what is on its machine."""

    @pytest.fixture
    def machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(stamps, "LOADED", str(tmp_path / "quartet/loaded"))
        monkeypatch.setattr(stamps, "OURS", str(tmp_path / "quartet/ours"))
        monkeypatch.setattr(mysql_state, "DATA", str(tmp_path / "mysql/app"))
        write_program(tmp_path / "bin", "mysql", "exit 1")
        return tmp_path

    @pytest.mark.parametrize(
        ("folders", "configured"),
        [
            ([], False),
            (["mysql/app"], False),
            (["mysql/app", "quartet/ours/etc/mysql/mysql.conf.d/quartet.cnf"], True),
            (["mysql/app", "quartet/ours/etc/mysql"], False),
            (["mysql/app", "quartet/ours/etc/haproxy/haproxy.cfg"], False),
            (["quartet/ours/etc/mysql/mysql.conf.d/quartet.cnf"], False),
            (["mysql/app", "quartet/shop/machines"], False),
        ],
        ids=[
            "new",
            "somebody's data",
            "our data",
            "a folder of our notes",
            "another role of ours",
            "our configuration alone",
            "somebody's data beside labs",
        ],
    )
    def test_data_are_ours_where_the_configuration_is(
        self, folders: list[str], configured: bool, machine: Path
    ) -> None:
        for folder in folders:
            (machine / folder).mkdir(parents=True)
        state = database_state(LocalHost(machine / "bin").read([SERVER]))
        assert (state.configured, state.answers) == (configured, False)

    def test_stamp_alone_is_enough(self, machine: Path) -> None:
        (machine / "quartet/loaded").mkdir(parents=True)
        (machine / "quartet/ours").mkdir()
        (machine / "quartet/loaded/mysql.service").touch()
        assert database_state(LocalHost(machine / "bin").read([SERVER])).configured


def test_server_with_data_that_never_was_replicated_is_foreign() -> None:
    state = _state(f"{_variables()}schema\tshop\ngtid\t\n")
    assert state.is_foreign
    assert not state.is_blank
