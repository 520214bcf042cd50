"""What is asked of MySQL, and what is made of its answers."""

import ssl
from typing import Any
from unittest.mock import create_autospec

import pymysql
import pytest
from dbagent.literals import literal
from dbagent.mysql import CONNECT_S, OFF_S, Session, dial, local, number_of
from dbagent.server import NEVER_HEARD_S, read_server

from tests.dbagent.fakes import config_of, gtids, uuid_of

ROW: dict[str, Any] = {
    "server_uuid": uuid_of("db-2"),
    "version": "9.7.0",
    "super_read_only": 1,
    "read_only": 1,
    "executed": f"{uuid_of('db-1')}:1-9,\n{uuid_of('db-2')}:1",
    "semi_sync_source": 0,
    "semi_sync_clients": "0",
    "source": "192.0.2.1",
    "received": f"{uuid_of('db-1')}:4-12",
    "receiver": "ON",
    "receiver_error": None,
    "silent_s": 1.5,
    "travelled_s": None,
    "applier": "ON",
    "applier_error": None,
}
NOTHING = dict.fromkeys(
    ("source", "received", "receiver", "receiver_error", "silent_s", "travelled_s", "applier")
)


class OneRow(Session):
    """Answers everything with this row, and notes how long it was given for it."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.patience_s = 0.0

    def rows(self, statement: str, *values: object, answer_s: float = 5) -> list[dict[str, Any]]:
        self.patience_s = answer_s
        return [self.row]


def test_replica_is_read() -> None:
    server = read_server(OneRow(ROW), "db-2", "192.0.2.2")
    assert (server.name, server.address, server.answers) == ("db-2", "192.0.2.2", True)
    assert (server.source, server.receiver, server.applier) == ("192.0.2.1", "ON", "ON")
    assert (server.silent_s, server.travelled_s) == (1.5, 0)
    assert str(server.executed) == str(gtids("db-1:1-9", "db-2:1"))
    assert str(server.known) == str(gtids("db-1:1-12", "db-2:1"))
    assert server.is_replicating


def test_primary_is_read() -> None:
    facts = {"super_read_only": 0, "read_only": 0, "semi_sync_source": 1, "semi_sync_clients": "2"}
    server = read_server(OneRow(ROW | NOTHING | facts), "db-2", "192.0.2.2")
    assert server.is_writable
    assert (server.semi_sync_source, server.semi_sync_clients) == (True, 2)
    assert (server.source, server.receiver, server.applier, server.error) == ("", "OFF", "OFF", "")


@pytest.mark.parametrize(
    ("receiver", "silent_s"),
    [("CONNECTING", NEVER_HEARD_S), ("OFF", NEVER_HEARD_S), ("ON", 0), (None, 0)],
    ids=["not connected", "stopped", "just connected", "without a source"],
)
def test_replica_that_never_heard_of_its_source_is_lost(
    receiver: str | None, silent_s: float
) -> None:
    row = ROW | {"silent_s": None, "receiver": receiver}
    assert read_server(OneRow(row), "db-2", "192.0.2.2").silent_s == silent_s


def test_clock_that_is_behind_makes_no_negative_time() -> None:
    server = read_server(OneRow(ROW | {"silent_s": -3, "travelled_s": -2}), "db-2", "192.0.2.2")
    assert (server.silent_s, server.travelled_s) == (0, 0)


def test_state_is_awaited_for_as_long_as_the_caller_says() -> None:
    session = OneRow(ROW)
    read_server(session, "db-2", "192.0.2.2", answer_s=1)
    assert session.patience_s == 1


@pytest.mark.parametrize(("name", "waited_s"), [("db-2", CONNECT_S), ("db-3", OFF_S)])
def test_machine_that_is_off_is_waited_for_shortly(
    name: str, waited_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(
        ssl, "create_default_context", lambda cafile: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    monkeypatch.setattr(pymysql, "connect", lambda **words: seen.append(words["connect_timeout"]))
    config = config_of(3, off=frozenset({"db-3"}))
    dial(config, config.peer(name))
    assert seen == [waited_s]


def test_slow_machines_get_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = create_autospec(pymysql.connections.Connection, instance=True)
    connect = create_autospec(pymysql.connect, return_value=connection)
    monkeypatch.setattr(pymysql, "connect", connect)
    local(6).rows("SELECT 1", answer_s=2)
    assert connect.call_args.kwargs["connect_timeout"] == CONNECT_S * 6
    assert connection._read_timeout == 12


@pytest.mark.parametrize(("text", "quoted"), [("plain", "'plain'"), ("it's", "'it''s'")])
def test_literal_is_quoted(text: str, quoted: str) -> None:
    assert literal(text) == quoted


def test_literal_with_a_backslash_is_refused() -> None:
    with pytest.raises(ValueError, match="NO_BACKSLASH_ESCAPES"):
        literal("a\\'")


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (pymysql.err.OperationalError(3707, "Restart server failed"), 3707),
        (pymysql.err.OperationalError("Lost"), 0),
        (OSError(), 0),
    ],
)
def test_error_has_mysqls_number_or_none(error: Exception, number: int) -> None:
    assert number_of(error) == number
