"""What runs on the database machines: reading binary logs, choosing, timing, watching a dump."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dbbackup import binlogs, choice, install
from dbbackup.binlogs import Transaction, begun_at, chosen, previous_gtids, transactions
from dbbackup.dump import Watch
from dbbackup.failures import BackupError
from dbbackup.moments import as_text, from_text, last_due
from dbbackup.restore import Request

from tests.backups.parts import A, B
from tests.local_host import write_program

# Printed by mysqlbinlog 9.7 --base64-output=DECODE-ROWS, shortened.
PRINTED = f"""\
# at 4
#261122  3:12:44 server id 1  end_log_pos 127 CRC32 0xee6ca194 \tStart: binlog v 4
# at 127
#261122  3:12:44 server id 1  end_log_pos 198 CRC32 0x48a1c77e \tPrevious-GTIDs
# {A}:1-3,
# {B}:1-5:7
# at 198
#261122  3:12:44 server id 1  end_log_pos 277 CRC32 0x2d \tGTID\tlast_committed=0\t\
sequence_number=1\trbr_only=yes\toriginal_committed_timestamp=1795317164083582\t\
immediate_commit_timestamp=1795317164099999\ttransaction_length=286
# original_commit_timestamp=1795317164083582 (2026-11-22 03:12:44.083582 UTC)
SET @@SESSION.GTID_NEXT= '{A.upper()}:4'/*!*/;
# at 277
#261122  3:12:44 server id 1  end_log_pos 348 CRC32 0x4d \tQuery\tthread_id=9
BEGIN
/*!*/;
# at 484
#261122  3:12:45 server id 1  end_log_pos 563 CRC32 0x2d \tGTID\tlast_committed=1\t\
sequence_number=2\trbr_only=no\toriginal_committed_timestamp=1795317165000000\t\
immediate_commit_timestamp=1795317165000000\ttransaction_length=200
SET @@SESSION.GTID_NEXT= '{A}:batch:5'/*!*/;
SET @@SESSION.GTID_NEXT= 'AUTOMATIC' /* added by mysqlbinlog */ /*!*/;
"""
DUMP = f"""-- GTID state at the beginning of the backup

SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '{A}:1-4,
{B}:1-5';
CREATE TABLE t (id INT);
""".encode()
END = b"-- Dump completed on 2026-11-22  3:12:44\n"


def test_transactions_have_their_position_and_the_time_of_their_first_commit() -> None:
    assert list(transactions(PRINTED.splitlines())) == [
        Transaction(198, f"{A}:4", 1795317164083582),
        Transaction(484, f"{A}:batch:5", 1795317165000000),
    ]


def test_header_tells_when_a_log_was_begun_and_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = tmp_path / "reader"
    reader.write_text(f"#!/bin/sh\ncat <<'EOF'\n{PRINTED}EOF\n")
    reader.chmod(0o755)
    monkeypatch.setattr(binlogs, "READER", (str(reader),))
    log = tmp_path / "binlog.000001"
    log.write_bytes(b"\xfebin" + (1795317164).to_bytes(4, "little") + b"...")
    assert previous_gtids(log) == f"{A}:1-3,{B}:1-5:7"
    assert as_text(begun_at(log)) == "2026-11-22T03:12:44Z"
    log.write_bytes(b"\xfdbin0000")
    with pytest.raises(BackupError, match="no plain binary log"):
        begun_at(log)


def test_transactions_are_chosen_by_options() -> None:
    assert chosen("", None) == []
    assert chosen("a:1", "a:1-9") == ["--exclude-gtids=a:1", "--include-gtids=a:1-9"]


@pytest.mark.parametrize(
    ("stop", "stops"),
    [
        ({"before_us": 1000}, True),
        ({"before_us": 1001}, False),
        ({"before_gtid": f"{A}:7"}, True),
        ({"before_gtid": f"{A}:70"}, False),
        ({}, False),
    ],
)
def test_restore_stops_at_the_moment_itself(stop: dict[str, Any], stops: bool) -> None:
    request = Request(identity="secret", dump={}, sent="f00", **stop)
    assert request.stops_at(Transaction(4, f"{A}:7", 1000)) is stops
    assert "secret" not in repr(request)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_dump_is_watched_while_it_passes(size: int) -> None:
    watch = Watch()
    whole = DUMP + b"x" * 5000 + END
    for start in range(0, len(whole), size):
        watch.take(whole[start : start + size])
    assert watch.facts()["gtid"] == f"{A}:1-4,{B}:1-5"


@pytest.mark.parametrize("content", [DUMP, END, b"", DUMP[:60] + END])
def test_dump_that_is_not_whole_is_none(content: bytes) -> None:
    watch = Watch()
    watch.take(content)
    with pytest.raises(BackupError, match="nothing was kept"):
        watch.facts()


def server(name: str, **changes: Any) -> dict[str, Any]:
    usual = {"role": "replica", "answers": True, "error": "", "receiver": "ON", "applier": "ON"}
    return {"name": name, **usual, "lag_s": 0.1, **changes}


ORDER = ("web-01", "web-02", "db-03")


def test_first_usable_replica_dumps() -> None:
    servers = [server("db-03"), server("web-02"), server("web-01", role="primary")]
    assert choice.choose(servers, ORDER, 5) == "web-02"


@pytest.mark.parametrize(
    "trouble",
    [
        {"lag_s": 6.0},
        {"receiver": "CONNECTING"},
        {"applier": "OFF"},
        {"error": "1032"},
        {"role": "fenced"},
        {"role": "unreachable", "answers": False},
    ],
)
def test_replica_in_trouble_is_passed_over(trouble: dict[str, Any]) -> None:
    servers = [server("web-01", role="primary"), server("web-02", **trouble), server("db-03")]
    assert choice.choose(servers, ORDER, 5) == "db-03"
    assert choice.choose(servers[:2], ORDER, 5) == "web-01"
    assert choice.choose(servers[1:2], ORDER, 5) is None


def test_dump_is_due_at_the_last_time_that_the_clock_showed_that() -> None:
    noon = datetime(2026, 11, 22, 12, 0).astimezone()
    assert last_due("03:15", noon) == noon.replace(hour=3, minute=15).astimezone(UTC)
    yesterday = (noon - timedelta(days=1)).replace(hour=23, minute=15)
    assert last_due("23:15", noon) == yesterday.astimezone(UTC)
    assert from_text(as_text(last_due("03:15", noon))) == last_due("03:15", noon)


@pytest.mark.parametrize(
    ("server_too", "stopped"),
    [
        (False, "stop dbagent.socket dbagent.service\n"),
        (True, "stop dbagent.socket dbagent.service mysql.service\n"),
    ],
)
def test_stopped_agent_is_not_started_again_by_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: str, *, server_too: bool
) -> None:
    write_program(tmp_path / "bin", "systemctl", f'echo "$*" >>{tmp_path}/said')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    install.stop(server_too=server_too)
    assert (tmp_path / "said").read_text() == stopped
