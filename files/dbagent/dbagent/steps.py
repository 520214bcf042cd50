"""The statements that change a server's part in replication."""

from dbagent.config import Config, Peer
from dbagent.gtid import GtidSet
from dbagent.literals import literal
from dbagent.mysql import Session

CLOSE_S = 5


def close_to_writes(session: Session, within_s: int) -> None:
    """Make a server read-only; waits at most so long for commits that are under way.

    They may wait for an acknowledgement that doesn't come; then this raises, and the server has
    to be opened again. It waits twice, for statements and for commits: https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_read_only
    """
    session.run(f"SET SESSION lock_wait_timeout = {within_s}")
    session.run("SET GLOBAL super_read_only = ON", answer_s=2 * within_s + 1)


def open_to_writes(session: Session) -> None:
    """Let a server take writes; super_read_only OFF leaves read_only ON, so both are said."""
    session.run("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")


def stop_receiving(session: Session) -> None:
    """End the connection to the source, so that it gets no acknowledgement from here any more."""
    session.run("STOP REPLICA IO_THREAD", answer_s=10)


def apply_until(session: Session, wanted: GtidSet, within_s: float) -> bool:
    """Wait until all of these transactions are applied; tell whether they are."""
    waited = session.value(
        "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)", str(wanted), within_s, answer_s=within_s + 2
    )
    return bool(waited == 0)


def stop_following(session: Session) -> None:
    """Forget the source; RESET REPLICA ALL throws away what was received and not applied."""
    session.run("STOP REPLICA", "RESET REPLICA ALL", answer_s=10)


def acknowledge_losslessly(session: Session, config: Config) -> None:
    """Let commits wait until enough replicas have them, for as long as it takes."""
    count = config.acknowledgements if len(config.databases) > 1 else 0
    session.run(
        f"SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = {max(1, count)}",
        f"SET GLOBAL rpl_semi_sync_source_enabled = {'ON' if count else 'OFF'}",
    )


def follow(session: Session, source: Peer, config: Config) -> None:
    """Follow this source by GTID over verified TLS, read-only, acknowledging what is received."""
    close_to_writes(session, CLOSE_S)
    session.run(
        "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
        "SET GLOBAL rpl_semi_sync_replica_enabled = ON",
        "STOP REPLICA",
        "CHANGE REPLICATION SOURCE TO "
        f"SOURCE_HOST = {literal(source.address)}, SOURCE_PORT = {config.mysql_port}, "
        f"SOURCE_USER = {literal(config.replication.user)}, "
        f"SOURCE_PASSWORD = {literal(config.replication.password)}, "
        "SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1, SOURCE_SSL_VERIFY_SERVER_CERT = 1, "
        f"SOURCE_SSL_CA = {literal(config.ca)}, "
        # A link that died silently is noticed by a missing heartbeat, not after a minute.
        "SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400, SOURCE_HEARTBEAT_PERIOD = 2",
        "START REPLICA",
        answer_s=15,
    )
