"""Bring the database's tables to what this release needs: `python3 migrate.py`.

Reads first and writes only what is missing, so that running it again changes nothing and asks no
replica for an acknowledgement. Ends within about a minute, whatever the primary does.
"""

import logging
import os
import sys

import pymysql
from board.config import ConfigError, Settings
from board.connection import Connection, connect
from board.database import is_lost

ANSWER_SECONDS = 30.0
LOCK_SECONDS = 10

TABLES = {
    "messages": """
        CREATE TABLE IF NOT EXISTS messages (
            id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
            author VARCHAR(40) NOT NULL,
            text VARCHAR(500) NOT NULL,
            web VARCHAR(64) NOT NULL COMMENT 'the web machine that took it',
            created_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
        ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4
    """
}


def main() -> int:
    """Migrate, and return the exit status."""
    try:
        settings = Settings.from_environment(os.environ)
        connection = connect(settings.primary, settings)
    except ConfigError as error:
        return _fail(str(error))
    except pymysql.err.MySQLError as error:
        return _fail(f"the primary {settings.primary} does not answer: {error}")
    try:
        migrate(connection)
    except pymysql.err.MySQLError as error:
        hint = "; it may still be under way: look at the replicas, then run this again"
        return _fail(f"{settings.primary}: {error}{hint if is_lost(error) else ''}")
    return 0


def migrate(connection: Connection) -> None:
    """Create the tables that are missing, and say which."""
    connection.limit(ANSWER_SECONDS)
    connection.rows("SET SESSION lock_wait_timeout = %s", LOCK_SECONDS)
    for name, statement in TABLES.items():
        if _is_there(connection, name):
            print(f"{name}: already there")
            continue
        connection.rows(statement)
        print(f"{name}: created")


def _is_there(connection: Connection, table: str) -> bool:
    return bool(
        connection.rows(
            "SELECT 1 FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = %s",
            table,
        )
    )


def _fail(reason: str) -> int:
    print(f"migrate: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main())
