"""All database servers at once: who is primary, who follows, who would be promoted."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import pymysql

from dbagent.config import AgentError, Config, Peer
from dbagent.gtid import GtidSet
from dbagent.mysql import Session, dial
from dbagent.server import Server, read_server

Answer = TypeVar("Answer")
# What a server that is starting, stopping or refusing gives; OSError where TLS breaks off.
FAILURES = (pymysql.err.MySQLError, OSError, ValueError)


def at_once(
    peers: Iterable[Peer], action: Callable[[Peer], Answer]
) -> dict[str, Answer | Exception]:
    """Do this for all at the same time; what fails answers with its error."""
    chosen = list(peers)

    def attempt(peer: Peer) -> Answer | Exception:
        try:
            return action(peer)
        except (*FAILURES, AgentError) as error:
            return error

    with ThreadPoolExecutor(max(1, len(chosen))) as pool:
        return dict(zip((peer.name for peer in chosen), pool.map(attempt, chosen), strict=True))


class Cluster:
    """Open sessions to the servers that answer, and their states."""

    def __init__(self, config: Config, away: Mapping[str, str] | None = None) -> None:
        """Connect to all but those that are known to be `away`, for these reasons."""
        self.config = config
        self.reasons = dict(away or {})
        self._sessions: dict[str, Session] = {}
        present = [peer for peer in config.databases if peer.name not in self.reasons]
        for name, answer in at_once(present, lambda peer: dial(config, peer)).items():
            if isinstance(answer, Session):
                self._sessions[name] = answer
            else:
                self.reasons[name] = str(answer)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions.values():
            session.close()

    def session(self, name: str) -> Session:
        """The open session to a server; AgentError where it doesn't answer."""
        if name not in self._sessions:
            raise AgentError(name, f"MySQL does not answer: {self.reasons.get(name, 'no session')}")
        return self._sessions[name]

    @property
    def answering(self) -> tuple[Peer, ...]:
        """The machines whose servers could be connected to."""
        return tuple(peer for peer in self.config.databases if peer.name in self._sessions)

    def server(self, name: str) -> Server:
        """A server as it is now; AgentError where it doesn't answer."""
        server = self.view().servers[name]
        if not server.answers:
            raise AgentError(name, f"MySQL does not answer: {server.error}", "./lab db.status")
        return server

    def view(self) -> "View":
        """Ask all of them; one that doesn't answer counts as unreachable."""
        answers = at_once(self.answering, self._read)
        servers = {}
        for peer in self.config.databases:
            answer = answers.get(peer.name)
            if not isinstance(answer, Server):
                self.reasons.setdefault(peer.name, str(answer))
                answer = Server(peer.name, peer.address, receiver_error=self.reasons[peer.name])
            servers[peer.name] = answer
        return View(self.config, servers)

    def _read(self, peer: Peer) -> Server:
        return read_server(self.session(peer.name), peer.name, peer.address)

    def each(self, names: Iterable[str], action: Callable[[Session], None]) -> dict[str, str]:
        """Do this on several servers at once; returns the reasons of those where it failed."""
        peers = [self.config.peer(name) for name in names]
        answers = at_once(peers, lambda peer: action(self.session(peer.name)))
        return {name: str(error) for name, error in answers.items() if error is not None}


@dataclass(frozen=True)
class View:
    """The servers at one moment."""

    config: Config
    servers: Mapping[str, Server]

    @property
    def answering(self) -> list[Server]:
        """Those that answer."""
        return [server for server in self.servers.values() if server.answers]

    @property
    def writable(self) -> list[Server]:
        """Those that take writes: one, where all is well."""
        return [server for server in self.answering if server.is_writable]

    @property
    def primary(self) -> Server | None:
        """Who takes writes, or whom the replicas follow: it is primary even while it is away.

        AgentError where two take writes.
        """
        if len(self.writable) > 1:
            names = " and ".join(server.name for server in self.writable)
            raise AgentError(
                names,
                "both take writes (split brain); nothing was changed",
                "decide whose data counts; on the other run"
                " `sudo mysql -e 'SET GLOBAL super_read_only=ON'`, then ./lab db.rejoin it",
            )
        return self.writable[0] if self.writable else self._followed()

    def _followed(self) -> Server | None:
        sources = [server.source for server in self.answering if server.source]
        followed = {peer.name for source in sources if (peer := self.config.at(source))}
        # Whoever follows somebody itself was demoted already.
        heads = [name for name in followed if not self.servers[name].source]
        return self.servers[heads[0]] if len(heads) == 1 else None

    def followers_of(self, primary: Server) -> list[Server]:
        """Those that answer and have it as their source."""
        return [server for server in self.answering if server.source == primary.address]

    def errant(self, server: Server, primary: Server) -> GtidSet:
        """What a server has and the primary lacks; nothing where the primary can't be asked.

        The servers are asked one after the other, and a replica may have a transaction before the
        primary's own commit is through: the primary's own are never errant while it is alive.
        """
        if not primary.answers:
            return GtidSet()
        extra = server.executed - primary.known
        return extra.without_server(primary.server_uuid) if primary.is_writable else extra

    def most_advanced(self, among: Iterable[Server]) -> Server | None:
        """The one that has all that the others have; AgentError where there is none."""
        servers = list(among)
        complete = [
            server for server in servers if all(other.known <= server.known for other in servers)
        ]
        if servers and not complete:
            raise AgentError(
                " and ".join(server.name for server in servers),
                "each has transactions that another lacks, so none can be promoted without loss",
                "compare them with ./lab db.status; ./lab db.rejoin the one whose own don't count",
            )
        # Of equals the one with the least left to apply, then the file's order.
        return min(complete, key=lambda server: len(server.known - server.executed), default=None)

    def candidate(self) -> Server | None:
        """Who would be promoted."""
        with suppress(AgentError):
            head = self.primary
            healthy = [
                server
                for server in self.answering
                if head is None or (server.source == head.address and not self.errant(server, head))
            ]
            return self.most_advanced(healthy)
        return None
