"""What switchover and failover share: make one server the primary, and let the others follow."""

from dbagent import steps
from dbagent.config import AgentError, Peer
from dbagent.polling import is_reached
from dbagent.server import Server
from dbagent.survey import Cluster, View

FOLLOWING_S = 10


def promote(cluster: Cluster, candidate: Peer, followers: list[Server]) -> dict[str, str]:
    """Make the candidate primary; returns why some server doesn't follow it, by name.

    It has applied all that it received, and nobody else takes writes. Nobody follows it before it
    is open: so whom the others follow while it is closed is always the primary before it, and an
    operation that was cut off can be told from its traces.
    """
    session = cluster.session(candidate.name)
    steps.stop_following(session)
    steps.acknowledge_losslessly(session, cluster.config)
    steps.open_to_writes(session)
    return point_to(cluster, candidate, followers)


def point_to(cluster: Cluster, primary: Peer, servers: list[Server]) -> dict[str, str]:
    """Let these servers follow the primary; returns the reasons of those that don't."""
    config = cluster.config
    return cluster.each(
        [server.name for server in servers], lambda each: steps.follow(each, primary, config)
    )


def is_acknowledged(cluster: Cluster, primary: Peer) -> bool:
    """Whether enough replicas are connected for a commit to be acknowledged."""
    server = cluster.view().servers[primary.name]
    needed = cluster.config.acknowledgements if server.semi_sync_source else 0
    return server.is_writable and server.semi_sync_clients >= needed


def finish(cluster: Cluster, primary: Server) -> list[str]:
    """Let everybody follow the primary who doesn't yet, and tell what was done and what is left.

    Servers with transactions of their own are left alone: following would hide these.
    """
    view = cluster.view()
    strays = [
        server
        for server in view.answering
        if server.name != primary.name
        and (server.source != primary.address or not server.is_replicating)
    ]
    errant = {server.name: view.errant(server, primary) for server in strays}
    peer = cluster.config.peer(primary.name)
    failed = point_to(cluster, peer, [each for each in strays if not errant[each.name]])
    told = []
    for server in strays:
        extra = errant[server.name]
        if extra:
            told.append(
                f"{server.name} has {len(extra)} transactions of its own ({extra}):"
                f" ./lab db.rejoin {server.name}"
            )
        elif server.name in failed:
            told.append(f"{server.name} does not follow yet: {failed[server.name]}")
        else:
            told.append(f"{server.name} follows {primary.name}")
    missing = [name for name, server in view.servers.items() if not server.answers]
    return told + [
        f"{name} does not answer; once it does: ./lab db.rejoin {name}" for name in missing
    ]


def await_followers(cluster: Cluster, primary: Peer) -> None:
    """Wait until writes there are acknowledged; AgentError tells who doesn't follow."""
    if is_reached(lambda: is_acknowledged(cluster, primary), FOLLOWING_S):
        return
    view: View = cluster.view()
    away = [
        f"{server.name} ({server.error or 'not replicating'})"
        for server in view.servers.values()
        if server.name != primary.name and not server.is_replicating
    ]
    strays = [s.name for s in view.answering if s.name != primary.name and not s.source]
    rejoin = " and ".join(f"./lab db.rejoin {name}" for name in strays)
    raise AgentError(
        primary.name,
        f"is primary, but too few replicas acknowledge its writes, so they wait: {', '.join(away)}",
        rejoin or "./lab db.status, then ./lab up",
    )
