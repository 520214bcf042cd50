"""What a database server says of itself and of its part in replication."""

from dataclasses import dataclass, field
from typing import Any

from dbagent.gtid import GtidSet
from dbagent.mysql import Session

NEVER_HEARD_S = 1e9
# performance_schema is steadier over versions than SHOW REPLICA STATUS.
_CHANNEL = "WHERE channel_name = ''"
_CONNECTION = "FROM performance_schema.replication_connection_status " + _CHANNEL
_WORKERS = "FROM performance_schema.replication_applier_status_by_worker " + _CHANNEL
_LAST_HEARD = "GREATEST(last_heartbeat_timestamp, last_queued_transaction_end_queue_timestamp)"
_STATE = f"""
SELECT @@server_uuid AS server_uuid, @@version AS version,
 @@global.super_read_only AS super_read_only, @@global.read_only AS read_only,
 @@global.gtid_executed AS executed,
 @@global.rpl_semi_sync_source_enabled AS semi_sync_source,
 (SELECT variable_value FROM performance_schema.global_status
   WHERE variable_name = 'Rpl_semi_sync_source_clients') AS semi_sync_clients,
 (SELECT host FROM performance_schema.replication_connection_configuration {_CHANNEL}) AS source,
 (SELECT received_transaction_set {_CONNECTION}) AS received,
 (SELECT service_state {_CONNECTION}) AS receiver,
 (SELECT last_error_message {_CONNECTION} AND last_error_number <> 0) AS receiver_error,
 (SELECT TIMESTAMPDIFF(MICROSECOND, {_LAST_HEARD}, NOW(6)) / 1000000 {_CONNECTION}) AS silent_s,
 (SELECT TIMESTAMPDIFF(MICROSECOND, last_queued_transaction_original_commit_timestamp,
   last_queued_transaction_end_queue_timestamp) / 1000000 {_CONNECTION}
   AND last_queued_transaction_end_queue_timestamp > last_heartbeat_timestamp) AS travelled_s,
 (SELECT service_state FROM performance_schema.replication_applier_status {_CHANNEL}) AS applier,
 (SELECT last_error_message {_WORKERS} AND last_error_number <> 0 LIMIT 1) AS applier_error
"""  # noqa: S608 constants


@dataclass(frozen=True)
class Server:
    """One server.

    `silent_s` and `travelled_s` are seconds: since its source was last heard of, and from a
    transaction's commit there to its arrival here while more of them are coming in.
    """

    name: str
    address: str
    answers: bool = False
    server_uuid: str = ""
    version: str = ""
    read_only: bool = True
    super_read_only: bool = True
    executed: GtidSet = field(default_factory=GtidSet)
    received: GtidSet = field(default_factory=GtidSet)
    source: str = ""
    receiver: str = "OFF"
    applier: str = "OFF"
    receiver_error: str = ""
    applier_error: str = ""
    silent_s: float = 0.0
    travelled_s: float = 0.0
    semi_sync_source: bool = False
    semi_sync_clients: int = 0

    @property
    def is_writable(self) -> bool:
        """Whether it takes writes of ordinary accounts."""
        return self.answers and not (self.read_only or self.super_read_only or self.source)

    @property
    def is_closed(self) -> bool:
        """Whether it takes no writes, of nobody.

        Both have to be said: super_read_only shows ON from the moment that somebody sets it, while
        commits that hang still hold that up; read_only only once it is done.
        """
        return self.answers and self.super_read_only and self.read_only

    @property
    def known(self) -> GtidSet:
        """All that it has, applied or not yet: semi-sync acknowledges what is merely received."""
        return GtidSet(f"{self.executed},{self.received}")

    @property
    def error(self) -> str:
        """What keeps it from answering or replicating."""
        return self.applier_error or self.receiver_error

    @property
    def is_replicating(self) -> bool:
        """Whether both of its threads run, without an error."""
        return self.receiver == "ON" and self.applier == "ON" and not self.error


def read_server(session: Session, name: str, address: str, answer_s: float = 2) -> Server:
    """Ask a server; raises pymysql.err.MySQLError."""
    [row] = session.rows(_STATE, answer_s=answer_s)
    return Server(
        name=name,
        address=address,
        answers=True,
        server_uuid=row["server_uuid"],
        version=row["version"],
        read_only=bool(row["read_only"]),
        super_read_only=bool(row["super_read_only"]),
        executed=GtidSet(row["executed"]),
        received=GtidSet(row["received"] or ""),
        source=row["source"] or "",
        receiver=row["receiver"] or "OFF",
        applier=row["applier"] or "OFF",
        receiver_error=row["receiver_error"] or "",
        applier_error=row["applier_error"] or "",
        silent_s=_silence(row["silent_s"], row["receiver"]),
        travelled_s=_seconds(row["travelled_s"]),
        semi_sync_source=bool(row["semi_sync_source"]),
        semi_sync_clients=int(row["semi_sync_clients"] or 0),
    )


def _silence(value: Any, receiver: str | None) -> float:
    """Without a sign of life since the start, and without a connection: for ever."""
    is_lost = receiver not in (None, "ON")
    return NEVER_HEARD_S if value is None and is_lost else _seconds(value)


def _seconds(value: Any) -> float:
    return max(0.0, float(value or 0))
