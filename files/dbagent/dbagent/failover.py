"""Failover: the primary is dead or cut off; the replica that has most takes over.

An acknowledged write is on at least `Config.acknowledgements` replicas. So when so many replicas
have stopped receiving that fewer than that are left, the old primary can't acknowledge a write any
more, wherever it is, and one of those that stopped has every write that it did acknowledge.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from dbagent import steps
from dbagent.config import AgentError, Config
from dbagent.lock import Lock, LostLockError
from dbagent.peers import words
from dbagent.polling import is_reached
from dbagent.promotion import await_followers, finish, promote
from dbagent.server import Server
from dbagent.survey import FAILURES, Cluster, View
from dbagent.switchover import Report

CLOSE_S = 1
APPLY_S = 60
CLOSED_AFTER_S = 3.4
"""A primary that has lost its followers has closed itself by then (see watch.py)."""


def failover(config: Config, by: str, *, is_fenced: bool = False) -> Report:
    """Promote a replica in the place of a dead primary; AgentError says why that isn't safe.

    `is_fenced` tells that the old primary is known to be closed to writes. Where `config.off` names
    machines, only a primary on one of these is replaced. Another can be closed over SSH first: then
    nothing is done, and the report names no primary. That they are off is no more than a reason to
    hurry: one that takes writes and can be connected to is not replaced, and one that is merely cut
    off acknowledges nothing, once a majority is claimed. A failover that was cut off is completed
    by the next one: so where a connection breaks in between, or the lock is lost with one, it is
    begun once more, over new ones.
    """
    try:
        return _fail_over(config, by, is_fenced=is_fenced)
    except (*FAILURES, LostLockError):
        return _fail_over(config, by, is_fenced=is_fenced)


def _fail_over(config: Config, by: str, *, is_fenced: bool) -> Report:
    with Lock(config, "failover", by) as lock, Cluster(config, lock.away) as cluster:
        view = cluster.view()
        old = view.primary
        if old is not None and old.is_writable:
            return _already(cluster, old)
        if config.off and (old is None or old.name not in config.off):
            return Report("", [])
        survivors = [s for s in view.answering if old is None or s.name != old.name]
        _check(view, old, survivors)
        with ThreadPoolExecutor(1) as pool:
            # A receiver whose source is silent takes two seconds to stop.
            claiming = pool.submit(_claim, cluster, survivors)
            if not is_fenced:
                _await_closed(cluster, old, survivors)
            claimed = claiming.result()
        return _promote_best(lock, cluster, claimed)


def _already(cluster: Cluster, primary: Server) -> Report:
    """A failover before this one may have been cut off after its promotion."""
    strays = [s for s in cluster.view().answering if s.name != primary.name]
    if all(s.source == primary.address and s.is_replicating for s in strays):
        raise AgentError(
            primary.name,
            "is the primary and takes writes, so there is nothing to fail over",
            "for a planned change: ./lab db.switchover",
        )
    return Report(primary.name, finish(cluster, primary))


def _check(view: View, old: Server | None, survivors: list[Server]) -> None:
    config = view.config
    if survivors and config.enough_to_promote(len(survivors)):
        return
    away = [s.name for s in view.servers.values() if not s.answers and s is not old]
    head = old.name if old else "the old primary"
    others = f"bring {' or '.join(away) or 'a replica'} back (./lab up), then again"
    raise AgentError(
        "the databases",
        f"{len(survivors)} of {len(config.databases) - 1} replicas answer"
        f" ({', '.join(away)} does not): {head} could still acknowledge writes through the rest;"
        " nothing was changed",
        f"./lab db.switchover --to {head} opens it again" if old and old.answers else others,
    )


def _claim(cluster: Cluster, survivors: list[Server]) -> list[str]:
    """Stop what comes from the old primary; it gets no acknowledgement any more from these."""
    names = [server.name for server in survivors]
    failed = cluster.each(names, steps.stop_receiving)
    claimed = [name for name in names if name not in failed]
    if cluster.config.enough_to_promote(len(claimed)):
        return claimed
    raise AgentError(
        ", ".join(failed),
        f"could not be told to stop receiving: {'; '.join(failed.values())}",
        "./lab db.status, then again",
    )


def _await_closed(cluster: Cluster, old: Server | None, survivors: list[Server]) -> None:
    """Wait until the old primary is read-only, as it says itself or as it must be by now.

    Two servers that both say that they take writes would be confusing. It is not what keeps data
    safe: that is done by the replicas, which have stopped acknowledging. So the wait is bounded.
    """
    if old is None:
        return
    config = cluster.config
    if old.answers and _close(cluster, old):
        return
    # An agent that is gone is not asked again and again: each time would cost a time-out.
    asked = (old, *survivors) if words(config, (config.peer(old.name),)) else tuple(survivors)
    within_s = (CLOSED_AFTER_S + 1) * config.patience
    is_reached(lambda: _is_closed(config, old, asked), within_s, poll_s=0.05)


def _close(cluster: Cluster, old: Server) -> bool:
    try:
        steps.close_to_writes(cluster.session(old.name), CLOSE_S)
    except (AgentError, *FAILURES):
        return False
    return True


def _is_closed(config: Config, old: Server, asked: Iterable[Server]) -> bool:
    """Whether its agent says so, or has asked none of the survivors for long enough."""
    said = words(config, tuple(config.peer(name) for name in {each.name for each in asked}))
    if old.name in said:
        return said[old.name].closed
    closed_after_s = CLOSED_AFTER_S * config.patience
    return bool(said) and all(word.polled_s >= closed_after_s for word in said.values())


def _promote_best(lock: Lock, cluster: Cluster, names: list[str]) -> Report:
    view = cluster.view()
    best = _best(view, _survivors(view, names))
    _apply_all(cluster, best)
    lock.confirm()
    # One that was restarted in between receives again, and acknowledges.
    view = cluster.view()
    survivors = _survivors(view, names)
    peer = cluster.config.peer(best.name)
    followers = [s for s in survivors if s.name != best.name and s.known <= best.known]
    failed = promote(cluster, peer, followers)
    told = [f"{name} does not follow yet: {why}" for name, why in failed.items()]
    await_followers(cluster, peer)
    return Report(best.name, told + finish(cluster, cluster.server(best.name)))


def _survivors(view: View, names: list[str]) -> list[Server]:
    """Those that still answer and receive nothing; AgentError where they are too few."""
    servers = [view.servers[name] for name in names]
    survivors = [server for server in servers if server.answers and server.receiver == "OFF"]
    if not survivors or not view.config.enough_to_promote(len(survivors)):
        raise AgentError(
            "the databases", "too few replicas are left", "./lab db.status, then again"
        )
    return survivors


def _best(view: View, survivors: list[Server]) -> Server:
    """Who has all that the others have.

    An earlier primary that came back may have commits that nobody acknowledged: they don't count.
    """
    replicas = [server for server in survivors if server.source]
    try:
        best = view.most_advanced(survivors)
    except AgentError:
        best = view.most_advanced(replicas)
        others = [server for server in survivors if not server.source]
        if best is None or any(_has_more(other, best) for other in others):
            raise
    assert best is not None  # noqa: S101 there are survivors
    return best


def _has_more(server: Server, best: Server) -> bool:
    """Whether it has transactions of others that the best one lacks."""
    return bool((server.known - best.known).without_server(server.server_uuid))


def _apply_all(cluster: Cluster, best: Server) -> None:
    session = cluster.session(best.name)
    if best.source:
        session.run("START REPLICA SQL_THREAD")
    if not steps.apply_until(session, best.known, APPLY_S):
        raise AgentError(
            best.name,
            f"did not apply within {APPLY_S} s what it has received; it was not promoted",
            "look at its applier (./lab db.status), then again",
        )
