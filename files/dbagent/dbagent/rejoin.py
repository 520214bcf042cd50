"""Rejoin: a server that has been away, or was primary, follows the primary again."""

import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dbagent import steps
from dbagent.config import AgentError, Config
from dbagent.fencing import answers, fence, start
from dbagent.gtid import GtidSet
from dbagent.literals import literal
from dbagent.lock import Lock
from dbagent.mysql import Session, local, number_of
from dbagent.opening import open_primary
from dbagent.polling import is_reached
from dbagent.server import Server
from dbagent.survey import FAILURES, Cluster, View

SAVED = Path("/var/lib/dbagent/errant")
START_S = 60
LOCK_S = 30
CLONE_S = 3600
RESTART_S = 120
FOLLOW_S = 30
OPENING_S = 5
"""Its own agent may just be opening it."""
# The server restarts itself at the end of CLONE, so the client may lose its connection.
CLONE_ENDS = frozenset({2006, 2013, 3707})


@dataclass(frozen=True)
class Rejoined:
    """What was done; `saved` is the file with the server's own transactions, if it had some."""

    told: list[str]
    saved: str | None = None


def rejoin(config: Config, by: str) -> Rejoined:
    """Let this machine's server follow the primary.

    Where it has transactions of its own, these are saved to a file, and it is cloned anew. A
    primary that was closed for want of followers is opened again. AgentError says what is in the
    way.
    """
    if not answers() and not start(START_S):
        raise AgentError(
            config.machine,
            "MySQL does not start",
            f"./lab ssh {config.machine} sudo journalctl -u mysql",
        )
    # One whose caller was killed goes on; what it has begun is finished first.
    with Lock(config, f"rejoin of {config.machine}", by, LOCK_S):
        done, primary = _rejoin(config)
    if not primary.is_writable:
        done.told.append(_open(config, by, primary))
    return done


def _rejoin(config: Config) -> tuple[Rejoined, Server]:
    with Cluster(config) as cluster:
        view = cluster.view()
        itself = view.servers[config.machine]
        primary = _whom_to_follow(view, itself)
        told = [f"{config.machine} {fence(config.patience)}"]
        if not is_reached(answers, START_S, poll_s=0.2):
            raise AgentError(config.machine, "MySQL did not come back", "see its journal")
        itself = _read_again(config, itself)
        extra = view.errant(itself, primary)
        if extra and not primary.is_writable:
            _refuse_what_may_count(view, itself, primary, extra)
    saved = None
    if extra:
        saved = str(_save(extra))
        _clone(config, primary)
    _follow(config, primary)
    told.append(
        f"it had {len(extra)} transactions that {primary.name} lacks ({extra}); they are saved, and"
        f" it was cloned anew from {primary.name}"
        if extra
        else f"it follows {primary.name}; it had nothing of its own"
    )
    return Rejoined(told, saved), primary


def _whom_to_follow(view: View, itself: Server) -> Server:
    """The primary; or one that is closed, and may wait for this very follower.

    That is whom the others follow or, where they follow nobody, one that has all that they have.
    """
    primary = view.primary
    others = [server for server in view.answering if server.name != itself.name]
    if primary is not None and primary.name == itself.name:
        raise AgentError(primary.name, "is the primary", "./lab db.status")
    heads = [primary] if primary else [server for server in others if not server.source]
    for head in heads:
        if head.is_writable or (head.answers and all(each.known <= head.known for each in others)):
            return head
    raise AgentError(
        "the databases", "there is no primary to follow", "./lab db.failover, then again"
    )


def _refuse_what_may_count(view: View, itself: Server, head: Server, extra: GtidSet) -> None:
    """Raise AgentError where some of these could have been acknowledged.

    Nobody who answers has them. So they were not, if too few are away to have done it; nor if the
    head has what a third server wrote since: that one began with all that was acknowledged before.
    """
    away = [server.name for server in view.servers.values() if not server.answers]
    since = (head.known - itself.known).without_server(head.server_uuid)
    is_own = not extra.without_server(itself.server_uuid)
    if is_own and (since or len(away) < view.config.acknowledgements):
        return
    raise AgentError(
        itself.name,
        f"has transactions that {head.name} lacks ({extra}), and {' and '.join(away) or 'others'}"
        " may have them, too: then they were acknowledged; nothing was changed",
        "bring all back (./lab up), then again",
    )


def _open(config: Config, by: str, head: Server) -> str:
    """Let it take writes again, if that is enough of them; under a lock of its own.

    A server that was cloned anew has lost its part of the lock, as it restarted in between.
    """

    def trouble() -> str:
        with Cluster(config) as cluster:
            view = cluster.view()
        followers = [each for each in view.followers_of(head) if each.is_replicating]
        needed = config.acknowledgements - len(followers)
        return f"it waits for {needed} more to follow it" if needed > 0 else ""

    try:
        told = open_primary(replace(config, machine=head.name), by, trouble, OPENING_S)
    except AgentError as error:
        return f"{error.where} {error.what}"
    return "; ".join(told)


def _read_again(config: Config, itself: Server) -> Server:
    """Its state now: when it was killed to close it, its last commits came through at its start."""
    with Cluster(config) as cluster:
        return cluster.server(itself.name)


def _save(extra: GtidSet) -> Path:
    """Write the transactions down as SQL with their rows, from the local binary logs."""
    purged = GtidSet(_local_rows("SELECT @@global.gtid_purged AS purged")[0]["purged"])
    if len(extra - purged) < len(extra):
        raise AgentError(
            "its own transactions",
            f"are no longer all in the binary logs ({extra}), so they can't be saved",
            "save what counts of the data yourself, then ./lab provision --reclone it",
        )
    SAVED.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = SAVED / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.sql"
    logs = [row["Log_name"] for row in _local_rows("SHOW BINARY LOGS")]
    folder = Path(_local_rows("SELECT @@log_bin_basename AS base")[0]["base"]).parent
    command = ["mysqlbinlog", "--no-defaults", "--verbose", f"--include-gtids={extra}"]
    with path.open("wb") as file:
        done = subprocess.run(
            [*command, *(str(folder / log) for log in logs)],
            stdout=file,
            stderr=subprocess.PIPE,
            check=False,
        )
    if done.returncode != 0:
        raise AgentError(
            str(path),
            f"mysqlbinlog could not save the transactions: {done.stderr.decode()[-500:]}",
            "nothing was replaced; mend that, then again",
        )
    return path


def _local_rows(statement: str) -> list[dict[str, str]]:
    session = local()
    try:
        return session.rows(statement)
    finally:
        session.close()


def _clone(config: Config, donor: Server) -> None:
    """Replace all data of this server by the primary's; mysqld restarts itself in the end."""
    before = _started()
    session = local()
    try:
        session.run("STOP REPLICA", "SET GLOBAL super_read_only = OFF", answer_s=15)
        session.run(f"SET GLOBAL clone_valid_donor_list = {literal(_place(config, donor))}")
        _run_clone(session, config, donor)
    finally:
        session.close()
    if not is_reached(lambda: _started() not in ("", before) and answers(), RESTART_S, poll_s=0.2):
        raise AgentError(
            config.machine, "did not come back after CLONE", "see its journal; then again"
        )


def _run_clone(session: Session, config: Config, donor: Server) -> None:
    login = config.clone
    clone = (
        f"CLONE INSTANCE FROM {literal(login.user)}@{literal(donor.address)}:{config.mysql_port}"
        f" IDENTIFIED BY {literal(login.password)} REQUIRE SSL"
    )
    try:
        session.run(clone, answer_s=CLONE_S)
    except FAILURES as error:
        if number_of(error) in CLONE_ENDS:
            return
        session.run("SET GLOBAL super_read_only = ON")
        raise AgentError(
            config.machine, f"could not be cloned from {donor.name}: {error}", "mend it, then again"
        ) from error


def _place(config: Config, server: Server) -> str:
    return f"{server.address}:{config.mysql_port}"


def _started() -> str:
    command = [
        "systemctl",
        "show",
        "--property=ExecMainStartTimestampMonotonic",
        "--value",
        "mysql",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    return done.stdout.strip()


def _follow(config: Config, primary: Server) -> None:
    with Cluster(config) as cluster:
        session = cluster.session(config.machine)
        steps.follow(session, config.peer(primary.name), config)
        if not is_reached(
            lambda: cluster.view().servers[config.machine].is_replicating, FOLLOW_S, poll_s=0.1
        ):
            server = cluster.view().servers[config.machine]
            raise AgentError(
                config.machine,
                f"does not replicate from {primary.name} within {FOLLOW_S} s: {server.error}",
                "./lab db.status",
            )
