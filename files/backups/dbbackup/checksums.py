"""A checksum of every table, all as of one moment, with the GTIDs of that moment."""

from dbbackup.sql import SYSTEM_SCHEMAS, Server

CHECKSUM_TIMEOUT_S = 6 * 3600
_TABLES = f"""
SELECT CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`')
  FROM information_schema.tables
 WHERE table_type = 'BASE TABLE' AND table_schema NOT IN {SYSTEM_SCHEMAS} ORDER BY 1
"""  # noqa: S608 our own words
# The lock is held until the snapshot is there. It waits for statements under way, and others for
# it: not for long.
_SNAPSHOT = (
    "SET SESSION lock_wait_timeout = 10",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "FLUSH TABLES WITH READ LOCK",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    "SELECT REPLACE(@@global.gtid_executed, '\\n', '')",
    "UNLOCK TABLES",
)


def tables(server: Server) -> list[str]:
    """All tables that are not MySQL's own, quoted."""
    return [row[0] for row in server.rows(_TABLES)]


def row_counts(server: Server) -> dict[str, int]:
    """How many rows each of them has."""
    return {table: _row_count(server, table) for table in tables(server)}


def checksums(server: Server) -> tuple[str, dict[str, str]]:
    """The executed GTIDs, and the CHECKSUM TABLE of each table that is not MySQL's own."""
    statements = [f"CHECKSUM TABLE {table}" for table in tables(server)]
    executed, *sums = server.rows(*_SNAPSHOT, *statements, "COMMIT", timeout_s=CHECKSUM_TIMEOUT_S)
    return "".join(executed), {row[0]: row[1] for row in sums}


def _row_count(server: Server, table: str) -> int:
    found = server.rows(f"SELECT COUNT(*) FROM {table}", timeout_s=CHECKSUM_TIMEOUT_S)  # noqa: S608
    return int(found[0][0])
