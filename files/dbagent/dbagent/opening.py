"""Opening a primary that is closed to writes, where nobody else has taken its place."""

from collections.abc import Callable, Collection

from dbagent import steps
from dbagent.config import AgentError, Config
from dbagent.lock import Lock
from dbagent.server import Server
from dbagent.survey import Cluster


def open_primary(
    config: Config,
    by: str,
    trouble: Callable[[], str] = str,
    patience_s: float = 0,
    without: Collection[str] = (),
) -> list[str]:
    """Open this machine's server to writes; AgentError says why that isn't right.

    It is done under the lock, so that no change of roles is on its way; `trouble` is asked then
    what else speaks against it, and the lock is waited for at most `patience_s` seconds. Those
    `without` whom it is done may have transactions of their own: they are to be cloned anew.
    """
    with Lock(config, "opening", by, patience_s) as lock, Cluster(config, lock.away) as cluster:
        itself = cluster.server(config.machine)
        if itself.is_writable:
            return [f"{itself.name} takes writes already"]
        others = [s for s in cluster.view().answering if s.name not in {itself.name, *without}]
        _refuse(others, itself, trouble())
        lock.confirm()
        session = cluster.session(config.machine)
        steps.acknowledge_losslessly(session, config)
        steps.open_to_writes(session)
        return [f"{itself.name} takes writes"]


def _refuse(others: list[Server], itself: Server, trouble: str) -> None:
    writable = [server.name for server in others if server.is_writable]
    ahead = [server.name for server in others if not server.known <= itself.known]
    if writable:
        trouble = f"{writable[0]} takes writes"
    elif itself.source:
        trouble = f"it follows {itself.source}"
    elif ahead:
        trouble = f"{', '.join(ahead)} has transactions that it lacks"
    if trouble:
        raise AgentError(
            itself.name,
            f"was not opened to writes: {trouble}",
            "./lab db.status; a server whose own transactions don't count:"
            " ./lab provision --reclone it",
        )
