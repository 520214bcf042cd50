"""Archiving the server's own binary logs, once they are closed."""

from itertools import pairwise
from pathlib import Path

from dbbackup.binlogs import begun_at, previous_gtids
from dbbackup.config import Config
from dbbackup.encryption import sealing
from dbbackup.moments import as_name, as_text
from dbbackup.pipes import pipeline
from dbbackup.sql import Server
from dbbackup.store import Facts, Store

FLUSH_TIMEOUT_S = 60
_FLUSH = "FLUSH BINARY LOGS"
_MAY_FLUSH = """
SELECT @@global.rpl_semi_sync_source_enabled,
  (SELECT COUNT(*) FROM performance_schema.processlist WHERE info = 'FLUSH BINARY LOGS')
"""


def archive(
    store: Store, server: Server, config: Config, *, until: str = "", force: bool = False
) -> list[Facts]:
    """Close the current log if there is anything new in it, and archive all closed ones.

    `until` names transactions to wait for first, for half a minute at most. A primary's log is
    closed only by `force`: its replicas have the same in theirs, and closing it waits, and makes
    others wait, for commits that nobody acknowledges.
    """
    if until:
        server.rows(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{until}', 30)", timeout_s=40)
    purged = server.value("REPLACE(@@global.gtid_purged, '\\n', '')")
    logs = _logs(server)
    if _has_news(logs[-1], server, purged) and (force or _may_close(server)):
        server.rows(_FLUSH, timeout_s=FLUSH_TIMEOUT_S)
        logs = _logs(server)
    about = {
        "machine": config.machine,
        "recipient": config.recipient,
        "server_uuid": server.value("@@server_uuid"),
    }
    return [
        _add(store, log, {**about, **_facts(log, following, purged)}, config.recipient)
        for log, following in pairwise(logs)
        if store.began_at <= begun_at(following) and not store.has("log", _name(log))
    ]


def _logs(server: Server) -> list[Path]:
    """The server's logs, oldest first; the last one is being written."""
    folder = Path(server.value("@@log_bin_basename")).parent
    return [folder / row[0] for row in server.rows("SHOW BINARY LOGS")]


def _has_news(current: Path, server: Server, purged: str) -> bool:
    before = _before(current, purged)
    return server.value(f"GTID_SUBSET(@@global.gtid_executed, '{before}')") == "0"


def _before(log: Path, purged: str) -> str:
    """All transactions before a log, those too that a cloned server never had in a log."""
    return ",".join(filter(None, [previous_gtids(log), purged]))


def _may_close(server: Server) -> bool:
    waits_for_replicas, closing = server.rows(_MAY_FLUSH)[0]
    return waits_for_replicas == "0" and closing == "0"


def _name(log: Path) -> str:
    """A name that tells apart what a new server began to count anew."""
    return f"{as_name(begun_at(log))}-{log.name}.zst.age"


def _facts(log: Path, following: Path, purged: str) -> Facts:
    return {
        "name": _name(log),
        "log": log.name,
        "begun_at": as_text(begun_at(log)),
        "ended_at": as_text(begun_at(following)),
        "before": _before(log, purged),
        "after": _before(following, purged),
    }


def _add(store: Store, log: Path, facts: Facts, recipient: str) -> Facts:
    compress, encrypt = sealing(recipient)
    with pipeline([*compress, "--", str(log)], encrypt) as running:

        def tell() -> Facts:
            running.finish()
            return facts

        return store.add("log", facts["name"], running.output, tell)
