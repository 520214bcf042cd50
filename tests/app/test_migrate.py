import time
from typing import cast

import migrate
import pymysql
import pytest
from board.connection import Connection, Row

from tests.app.fake_lab import REFUSED, SETTINGS

OLD = {"id", "author", "text", "web", "created_at"}


class Tables:
    """A connection to a server whose messages table has these columns; notes what is written."""

    def __init__(self, columns: set[str]) -> None:
        self.columns = columns
        self.written: list[str] = []

    def limit(self, seconds: float) -> None:
        pass

    def rows(self, statement: str, *values: object) -> list[Row]:
        if statement.startswith("SELECT"):
            return [{"name": name} for name in self.columns]
        if not statement.startswith("SET"):
            self.written.append(" ".join(statement.split()))
        return []


def migrated(columns: set[str]) -> list[str]:
    tables = Tables(columns)
    migrate.migrate(cast("Connection", tables))
    return tables.written


def test_an_empty_database_gets_the_table_and_its_columns() -> None:
    create, alter = migrated(set())
    assert create.startswith("CREATE TABLE IF NOT EXISTS messages (")
    assert "ADD COLUMN token" in alter
    assert "ADD COLUMN attempts" in alter


def test_an_old_table_gets_what_it_lacks_without_a_pause_in_writing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [alter] = migrated(OLD)
    assert "token CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL" in alter
    assert "ADD UNIQUE KEY token (token)" in alter
    assert alter.endswith(", ALGORITHM=INPLACE, LOCK=NONE")
    assert capsys.readouterr().out == "messages: added token, attempts\n"


def test_only_what_is_missing_is_added() -> None:
    [alter] = migrated(OLD | {"token"})
    assert "token" not in alter


def test_doing_it_twice_changes_nothing() -> None:
    assert migrated(OLD | set(migrate.COLUMNS)) == []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only in pauses."""
    passed: list[float] = []
    start = time.monotonic()
    monkeypatch.setattr("migrate.time.sleep", passed.append)
    monkeypatch.setattr("migrate.time.monotonic", lambda: start + sum(passed))
    return passed


def answering(monkeypatch: pytest.MonkeyPatch, *errors: Exception | None) -> None:
    """Let connecting fail with these, the last for ever; None: it succeeds."""
    left = list(errors)

    def connect(*_: object) -> str:
        error = left.pop(0) if len(left) > 1 else left[0]
        if error:
            raise error
        return "connected"

    monkeypatch.setattr("migrate.connect", connect)


def test_it_waits_until_the_router_has_a_primary(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    answering(monkeypatch, REFUSED, REFUSED, None)
    assert str(migrate.primary(SETTINGS)) == "connected"
    assert len(pauses) == 2


def test_it_waits_for_20_seconds_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    answering(monkeypatch, REFUSED)
    with pytest.raises(pymysql.err.OperationalError):
        migrate.primary(SETTINGS)
    assert sum(pauses) == 20


def test_a_wrong_password_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    answering(monkeypatch, pymysql.err.OperationalError(1045, "Access denied"))
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        migrate.primary(SETTINGS)
    assert pauses == []
