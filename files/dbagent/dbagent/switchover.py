"""Switchover: a planned change of the primary, undone if anything fails before the promotion."""

import time
from contextlib import suppress
from dataclasses import dataclass

from dbagent import steps
from dbagent.config import AgentError, Config
from dbagent.lock import Lock
from dbagent.promotion import await_followers, finish, promote
from dbagent.server import Server
from dbagent.survey import FAILURES, Cluster, View

CLOSE_S = 2
APPLY_S = 5
LONGEST_BACKLOG = 1000
"""Transactions: more than are applied within a second, so that writers would wait for long."""


@dataclass(frozen=True)
class Report:
    """What was done, for the person who asked for it; the pause is in seconds."""

    primary: str
    told: list[str]
    pause_s: float | None = None


def switchover(config: Config, to: str | None, by: str) -> Report:
    """Make another server primary; AgentError, with writes going on where they were, if it fails.

    A switchover that was cut off is completed by the next one.
    """
    with Lock(config, "switchover", by) as lock, Cluster(config, lock.away) as cluster:
        old, told = _primary(cluster)
        if to == old.name:
            return Report(old.name, [*told, f"{to} is the primary", *finish(cluster, old)])
        view = cluster.view()
        candidate = _candidate(view, old, to)
        _check(view, old, candidate)
        return _change(lock, cluster, old, candidate)


def _primary(cluster: Cluster) -> tuple[Server, list[str]]:
    """The primary; it is opened, and the others follow it, where a switchover was cut off."""
    view = cluster.view()
    primary = view.primary
    if primary is None and len(view.answering) == len(view.servers):
        # Cut off in between, with nobody left that follows anybody.
        primary = view.most_advanced(view.answering)
    if primary is None or not primary.answers:
        name = primary.name if primary else "the primary"
        raise AgentError(
            name, "does not answer, so this would be no switchover", "./lab db.failover"
        )
    if primary.is_writable:
        return primary, _gather(cluster, view, primary)
    _refuse_if_behind(view, primary)
    session = cluster.session(primary.name)
    steps.acknowledge_losslessly(session, cluster.config)
    steps.open_to_writes(session)
    opened = cluster.server(primary.name)
    finish(cluster, opened)
    await_followers(cluster, cluster.config.peer(primary.name))
    return opened, [f"{primary.name} was closed to writes, and is open again"]


def _gather(cluster: Cluster, view: View, primary: Server) -> list[str]:
    """Let the others follow it where a switchover was cut off just after the promotion."""
    following = [server for server in view.followers_of(primary) if server.is_replicating]
    if len(following) >= view.config.acknowledgements or len(view.answering) == 1:
        return []
    told = finish(cluster, primary)
    await_followers(cluster, cluster.config.peer(primary.name))
    return told


def _refuse_if_behind(view: View, primary: Server) -> None:
    ahead = [s.name for s in view.answering if view.errant(s, primary)]
    if ahead:
        raise AgentError(
            primary.name,
            f"takes no writes, and lacks transactions that {', '.join(ahead)} has",
            "./lab db.status; ./lab db.failover promotes the one that has most",
        )


def _candidate(view: View, old: Server, to: str | None) -> Server:
    if to is not None:
        return view.servers[view.config.peer(to).name]
    others = [server for server in view.answering if server.name != old.name]
    best = view.most_advanced(each for each in others if not _reasons(view, old, each))
    if best is None:
        reasons = [f"{each.name}: {'; '.join(_reasons(view, old, each))}" for each in others]
        raise AgentError(
            "the databases", f"none can be promoted: {', '.join(reasons)}", "./lab db.status"
        )
    return best


def _check(view: View, old: Server, candidate: Server) -> None:
    reasons = _reasons(view, old, candidate)
    if reasons:
        raise AgentError(
            candidate.name,
            f"can't take over from {old.name}: {'; '.join(reasons)}; nothing was changed",
            "mend that first (./lab db.status shows it), or choose another with --to",
        )


def _reasons(view: View, old: Server, candidate: Server) -> list[str]:
    """Why a server can't be promoted now."""
    if not candidate.answers:
        return [f"it does not answer ({candidate.error})"]
    reasons = []
    if extra := view.errant(candidate, old):
        reasons.append(f"it has {len(extra)} transactions that {old.name} lacks ({extra})")
    if candidate.source != old.address:
        reasons.append(f"it does not follow {old.name}")
    elif not candidate.is_replicating:
        reasons.append(f"it does not replicate ({candidate.error or 'its threads are stopped'})")
    backlog = old.executed - candidate.executed
    if len(backlog) > LONGEST_BACKLOG:
        reasons.append(f"it lacks {len(backlog)} transactions, which would hold writers up")
    return [*reasons, *_unable_to_follow(view, old, candidate)]


def _unable_to_follow(view: View, old: Server, candidate: Server) -> list[str]:
    """Why too few others could acknowledge the new primary's writes."""
    others = [s for s in view.answering if s.name != candidate.name]
    able = [s for s in others if s.name == old.name or not view.errant(s, old)]
    older = [s.name for s in able if series(s.version) < series(candidate.version)]
    reasons = [f"{', '.join(older)} has an older MySQL and can't follow it"] if older else []
    if len(able) < view.config.acknowledgements:
        reasons.append("too few other servers could follow it")
    return reasons


def series(version: str) -> tuple[int, ...]:
    """The release series of a version, as numbers: (8, 4)."""
    number = version.partition("-")[0]
    return tuple(int(part) for part in number.split(".")[:2])


def _change(lock: Lock, cluster: Cluster, old: Server, candidate: Server) -> Report:
    began = time.monotonic()
    _close(cluster, old)
    peer = cluster.config.peer(candidate.name)
    try:
        _await_applied(cluster, old, candidate)
        lock.confirm()
    except (AgentError, *FAILURES) as error:
        _reopen(cluster, old)
        raise AgentError(
            candidate.name,
            f"was not promoted, and writes go on at {old.name}: {_words(error)}",
            "./lab db.status, then again",
        ) from error
    # The point of no return: the candidate becomes the primary, here or in the next run.
    promote(cluster, peer, _followers(cluster.view(), old, candidate))
    await_followers(cluster, peer)
    pause_s = time.monotonic() - began
    return Report(candidate.name, finish(cluster, cluster.server(candidate.name)), pause_s)


def _followers(view: View, old: Server, candidate: Server) -> list[Server]:
    """Who is to follow at once; one with transactions of its own is left to db.rejoin."""
    others = [server for server in view.answering if server.name != candidate.name]
    return [s for s in others if s.name == old.name or not view.errant(s, view.servers[old.name])]


def _close(cluster: Cluster, old: Server) -> None:
    session = cluster.session(old.name)
    closing = session.value("SELECT CONNECTION_ID()")
    try:
        steps.close_to_writes(session, CLOSE_S)
    except FAILURES as error:
        _reopen(cluster, old, closing)
        within_s = CLOSE_S * cluster.config.patience
        raise AgentError(
            old.name,
            f"has commits that did not end within {within_s:g} s ({error}); writes go on there",
            "./lab db.status; try again when no long transaction runs",
        ) from error


def _words(error: Exception) -> str:
    return f"{error.where} {error.what}" if isinstance(error, AgentError) else str(error)


def _reopen(cluster: Cluster, old: Server, closing: int | None = None) -> None:
    """Undo the closing, over a new session; one that still tries to close it is ended first."""
    with Cluster(cluster.config) as anew:
        session = anew.session(old.name)
        if closing is not None:
            with suppress(*FAILURES):  # it has ended by itself
                session.run(f"KILL {closing}")
        steps.acknowledge_losslessly(session, cluster.config)
        steps.open_to_writes(session)


def _await_applied(cluster: Cluster, old: Server, candidate: Server) -> None:
    closed = cluster.server(old.name)
    if closed.is_writable:
        raise AgentError(old.name, "was opened to writes again by somebody else")
    within_s = APPLY_S * cluster.config.patience
    if not steps.apply_until(cluster.session(candidate.name), closed.executed, within_s):
        raise AgentError(candidate.name, f"did not apply everything within {within_s:g} s")
