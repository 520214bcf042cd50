"""Bring the database's tables to what this release needs: `python3 migrate.py`.

Reads first and writes only what is missing, so that running it again changes nothing and asks no
replica for an acknowledgement. Waits for a primary; ends within about a minute, whatever that does.
"""

import logging
import os
import sys
import time

import pymysql
from board.config import ConfigError, Settings
from board.connection import Connection, connect
from board.errors import is_lost, is_passing

PRIMARY_SECONDS = 20.0
PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 30.0
LOCK_SECONDS = 10

CREATE = """
    CREATE TABLE IF NOT EXISTS messages (
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        author VARCHAR(40) NOT NULL,
        text VARCHAR(500) NOT NULL,
        web VARCHAR(64) NOT NULL COMMENT 'the web machine that took it',
        created_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
    ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4
"""
# What was added later, in the order in which it came; rows from before have no token.
COLUMNS = {
    "token": "CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL"
    " COMMENT 'the same in every attempt to store this message', ADD UNIQUE KEY token (token)",
    "attempts": "INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'how often it arrived'",
}


def main() -> int:
    """Migrate, and return the exit status."""
    try:
        settings = Settings.from_environment(os.environ)
        connection = primary(settings)
    except ConfigError as error:
        return _fail(str(error))
    except pymysql.err.MySQLError as error:
        return _fail(f"no primary answers at {settings.writes}: {error}")
    try:
        migrate(connection)
    except pymysql.err.MySQLError as error:
        hint = "; it may still be under way: look at the replicas, then run this again"
        return _fail(f"{settings.writes}: {error}{hint if is_lost(error) else ''}")
    return 0


def primary(settings: Settings) -> Connection:
    """Connect to the primary, waiting at most PRIMARY_SECONDS until there is one."""
    deadline = time.monotonic() + PRIMARY_SECONDS
    while True:
        try:
            return connect(settings.writes, settings)
        except pymysql.err.MySQLError as error:
            if not is_passing(error) or time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE_SECONDS)


def migrate(connection: Connection) -> None:
    """Create what is missing, and say what that was."""
    connection.limit(ANSWER_SECONDS)
    connection.rows("SET SESSION lock_wait_timeout = %s", LOCK_SECONDS)
    columns = _columns(connection)
    if not columns:
        connection.rows(CREATE)
        print("messages: created")
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        added = ", ".join(f"ADD COLUMN {name} {COLUMNS[name]}" for name in missing)
        connection.rows(f"ALTER TABLE messages {added}, ALGORITHM=INPLACE, LOCK=NONE")
    print(f"messages: {'added ' + ', '.join(missing) if missing else 'already there'}")


def _columns(connection: Connection) -> set[str]:
    rows = connection.rows(
        "SELECT column_name AS name FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = 'messages'"
    )
    return {str(row["name"]) for row in rows}


def _fail(reason: str) -> int:
    print(f"migrate: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main())
