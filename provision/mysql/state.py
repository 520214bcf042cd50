"""What a database server says of itself, read in the machine's one batch."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from provision.mysql.gtid import GtidSet
from provision.mysql.sql import CLIENT, rows
from provision.resources import Fact, FactKind, Snapshot
from provision.resources.stamps import stamp_path, was_ours
from provision.site_paths import MYSQL_CONFIG

# performance_schema and information_schema are steadier over versions than SHOW REPLICA STATUS.
# The executed set comes last: where it is there, the whole answer is.
_SQL = """
SELECT 'variable', variable_name, variable_value FROM performance_schema.global_variables
 WHERE variable_name IN ('server_uuid', 'super_read_only', 'read_only',
                         'rpl_semi_sync_source_enabled', 'rpl_semi_sync_replica_enabled',
                         'rpl_semi_sync_source_wait_for_replica_count');
SELECT 'schema', schema_name FROM information_schema.schemata
 WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema');
SELECT 'version', version();
SELECT 'channel', host, channel_name
  FROM performance_schema.replication_connection_configuration WHERE host <> '';
SELECT 'source', host, user, ssl_allowed, ssl_verify_server_certificate, auto_position
  FROM performance_schema.replication_connection_configuration WHERE channel_name = '';
SELECT 'received', REPLACE(received_transaction_set, '\\n', '')
  FROM performance_schema.replication_connection_status WHERE channel_name = '';
SELECT 'receiver', service_state, last_error_number, last_error_message
  FROM performance_schema.replication_connection_status WHERE channel_name = '';
SELECT 'applier', service_state FROM performance_schema.replication_applier_status
 WHERE channel_name = '';
SELECT 'applier_error', last_error_number, last_error_message
  FROM performance_schema.replication_applier_status_by_worker
 WHERE channel_name = '' AND last_error_number <> 0 LIMIT 1;
SELECT 'account', user, host, JSON_UNQUOTE(JSON_EXTRACT(attribute, '$.quartet'))
  FROM information_schema.user_attributes WHERE JSON_EXTRACT(attribute, '$.quartet') IS NOT NULL;
SELECT 'gtid', REPLACE(@@global.gtid_executed, '\\n', '');
"""
# A server that goes away in the middle of its answer, or comes back just then, is asked again. The
# client's complaint goes where its rows go, but behind them: it must not stand within one.
_ASK = f"""
ask() {{
    for attempt in 1 2 3; do
        said=$({{ complaint=$(printf %s "$1" | {shlex.join(CLIENT)} 2>&1 >&3) ||
            {{ printf 'failed\\t%s\\n' "$complaint"; false; }}; }} 3>&1) && break
        case $said in failed*) break ;; esac
        sleep 1
    done
    printf '%s\\n' "$said"
}}
"""


# Asked of a server that is new to us, since it takes a look at every table.
_OTHER_ENGINE = """
SELECT 'engine', CONCAT(table_schema, '.', table_name) FROM information_schema.tables
 WHERE engine <> 'InnoDB' AND table_type = 'BASE TABLE'
   AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') LIMIT 1;
"""
# Whoever reads its binary logs; performance_schema may be switched off on somebody's server.
_READERS = """
SELECT 'reader', user, host FROM information_schema.processlist
 WHERE command IN ('Binlog Dump', 'Binlog Dump GTID');
"""
DATA = "/var/lib/mysql/app"


def _script(_: Sequence[str]) -> str:
    # Its data tell too that it once was ours: the stamp is gone while a new setting waits.
    has_our_data = f"[ -d {DATA} ] && {was_ours(MYSQL_CONFIG)}"
    return (
        f"{_ASK}if [ -f {stamp_path('mysql.service')} ] || {{ {has_our_data}; }};"
        f" then echo configured; else ask {shlex.quote(_READERS + _OTHER_ENGINE)}; fi\n"
        f"ask {shlex.quote(_SQL)}"
    )


@dataclass(frozen=True)
class Source:
    """Whom a replica follows, and how."""

    host: str
    user: str
    tls: bool
    verified: bool
    auto_position: bool


@dataclass(frozen=True)
class Channel:
    """One of the sources that a server replicates from; the name is empty for the usual one."""

    host: str
    name: str


@dataclass(frozen=True)
class Reader:
    """Somebody who reads a server's binary logs, as a replica does: the account, and from where."""

    user: str
    host: str


@dataclass(frozen=True)
class DatabaseState:
    """One server's own account of itself.

    `answers` is False where no server runs, or it broke off in its answer, and then `complaint`
    says why; `configured` tells whether it once ran as ours.
    """

    answers: bool = False
    complaint: str = ""
    configured: bool = False
    server_uuid: str = ""
    super_read_only: bool = True
    read_only: bool = True
    semi_sync_source: bool = False
    semi_sync_replica: bool = False
    acknowledgements: int = 1
    gtid_executed: GtidSet = field(default_factory=GtidSet)
    received: GtidSet = field(default_factory=GtidSet)
    source: Source | None = None
    receiver: str = "OFF"
    applier: str = "OFF"
    error: str = ""
    version: str = ""
    channels: tuple[Channel, ...] = ()
    other_engine: str = ""
    readers: tuple[Reader, ...] = ()
    accounts: Mapping[str, str] = field(default_factory=dict)
    schemas: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Whether nothing would be lost with it: no database, none of our accounts, no source.

        Its executed set says little: a package's own start may have written, and without GTIDs a
        server full of data has an empty one.
        """
        return self.answers and not (self.schemas or self.accounts or self.source)

    @property
    def is_foreign(self) -> bool:
        """Whether it has data that never was replicated, from a life before this system."""
        return self.answers and bool(self.schemas) and not self.source and not self.gtid_executed

    @property
    def known(self) -> GtidSet:
        """All that it has, applied or not yet: semi-sync acknowledges what is merely received."""
        return GtidSet(f"{self.gtid_executed},{self.received}")

    @property
    def is_down(self) -> bool:
        """Whether it has taken part, as far as its machine knows, and doesn't answer now."""
        return self.configured and not self.answers

    @property
    def is_member(self) -> bool:
        """Whether it answers and has data or follows somebody."""
        return self.answers and not self.is_blank

    @property
    def is_writable_primary(self) -> bool:
        """Whether it takes writes of ordinary accounts and follows nobody."""
        return self.is_member and self.source is None and not self.read_only


def _parse(output: str) -> dict[str, DatabaseState]:
    table = rows(output)
    variables = {row[1]: row[2] for row in table if row[0] == "variable"}
    first = {row[0]: row[1:] for row in reversed(table)}
    state = DatabaseState(
        answers="gtid" in first and "failed" not in first,
        complaint=" ".join(first.get("failed", [])) if variables else "",
        configured="configured" in first,
        server_uuid=variables.get("server_uuid", ""),
        super_read_only=variables.get("super_read_only", "ON") == "ON",
        read_only=variables.get("read_only", "ON") == "ON",
        semi_sync_source=variables.get("rpl_semi_sync_source_enabled") == "ON",
        semi_sync_replica=variables.get("rpl_semi_sync_replica_enabled") == "ON",
        acknowledgements=int(variables.get("rpl_semi_sync_source_wait_for_replica_count", 1)),
        gtid_executed=GtidSet("".join(first.get("gtid", []))),
        received=GtidSet("".join(first.get("received", []))),
        source=_source(first.get("source")),
        receiver=first.get("receiver", ["OFF"])[0],
        applier=first.get("applier", ["OFF"])[0],
        error=_error(first),
        version="".join(first.get("version", [])),
        other_engine="".join(first.get("engine", [])),
        readers=tuple(_reader(row) for row in table if row[0] == "reader"),
        channels=tuple(Channel(*_padded(row)) for row in table if row[0] == "channel"),
        schemas=tuple(row[1] for row in table if row[0] == "schema"),
        accounts={f"{row[1]}@{row[2]}": row[3] for row in table if row[0] == "account"},
    )
    return {"server": state}


def _padded(row: Sequence[str]) -> tuple[str, str]:
    """Host and name of a channel; an empty name at the end of a line may be missing."""
    return row[1], row[2] if len(row) > 2 else ""  # noqa: PLR2004 kind, host, name


def _reader(row: Sequence[str]) -> Reader:
    """The account, and the address or name before the port, which a local one has none of."""
    _, user, host = row
    return Reader(user, host.rpartition(":")[0] or host)


def _source(row: Sequence[str] | None) -> Source | None:
    if not row or not row[0]:
        return None
    host, user, tls, verified, auto_position = row
    return Source(host, user, tls == "YES", verified == "YES", auto_position in ("1", "YES"))


def _error(first: Mapping[str, Sequence[str]]) -> str:
    for number, message in (
        first.get("receiver", ["", "0", ""])[1:],
        first.get("applier_error", ["0", ""]),
    ):
        if number != "0":
            return f"error {number}: {message}"
    return ""


MYSQL = FactKind("mysql", _script, _parse)
SERVER = Fact(MYSQL, "server")


def database_state(snapshot: Snapshot) -> DatabaseState:
    """The server's state in a machine's snapshot."""
    state = snapshot.get(SERVER)
    return state if isinstance(state, DatabaseState) else DatabaseState()
