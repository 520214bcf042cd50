"""The local server, sampled a few times a second: what the load balancers and the peers ask for."""

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace

from dbagent.config import Config
from dbagent.gtid import GtidSet
from dbagent.mysql import Session, local
from dbagent.server import Server, read_server
from dbagent.survey import FAILURES

log = logging.getLogger(__name__)
INTERVAL_S = 0.2
STALE_S = 2.0
HEARTBEAT_S = 2.0
"""How often a source that has nothing to send says that it is there (see steps.follow)."""


class Backlog:
    """For how long the oldest transaction that was received has waited to be applied.

    By this machine's own clock: it remembers when each received set was first seen.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, GtidSet]] = deque()

    def age_s(self, received: GtidSet, executed: GtidSet, now: float) -> float:
        """Take a sample in; returns seconds, 0 where nothing waits."""
        if self._waiting and not self._waiting[-1][1] <= received:
            # Its relay log was thrown away: it has another source, which may lack what was in it.
            self._waiting.clear()
        if not self._waiting or str(self._waiting[-1][1]) != str(received):
            self._waiting.append((now, received))
        while self._waiting and self._waiting[0][1] <= executed:
            self._waiting.popleft()
        return now - self._waiting[0][0] if self._waiting else 0.0


def lag_s(server: Server, backlog_s: float) -> float:
    """How far a replica is behind, in seconds: by what waits here, travels, or isn't heard of.

    Seconds_Behind_Source is not asked: it says 0 over a link that died silently.
    """
    return max(backlog_s, server.travelled_s, server.silent_s - HEARTBEAT_S, 0.0)


class Monitor:
    """Samples the local server for ever; every question is answered from the last sample."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._backlog = Backlog()
        self._sampled = 0.0
        self._unknown = Server(config.machine, config.itself.address)
        self._server = self._unknown
        self._lag_s = 0.0

    def start(self) -> None:
        """Sample in the background."""
        threading.Thread(target=self._run, daemon=True, name="monitor").start()

    @property
    def server(self) -> Server:
        """The last sample; one that is too old counts as no answer."""
        fresh = time.monotonic() - self._sampled < STALE_S * self._config.patience
        return self._server if fresh else self._unknown

    @property
    def lag_s(self) -> float:
        """Seconds that this replica is behind its source."""
        return self._lag_s

    @property
    def is_primary(self) -> bool:
        """Whether this server takes writes."""
        return self.server.is_writable

    @property
    def is_usable_replica(self) -> bool:
        """Whether it may be read from as a replica.

        While its source is away it is as fresh as any, and its lag grows with the silence.
        """
        server = self.server
        applies = server.source != "" and server.applier == "ON" and not server.applier_error
        return applies and self._lag_s <= self._config.max_lag_s

    def _run(self) -> None:
        while True:
            try:
                self.sample()
            except Exception:  # a monitor that ends by an unforeseen error would say no for ever
                log.exception("sampling failed")
                self._drop()
            time.sleep(INTERVAL_S * self._config.patience)

    def sample(self) -> None:
        """Ask the server once."""
        try:
            self._session = self._session or local(self._config.patience)
            server = read_server(self._session, self._config.machine, self._unknown.address)
        except FAILURES as error:
            self._drop()
            server = replace(self._unknown, receiver_error=str(error))
        now = time.monotonic()
        backlog_s = self._backlog.age_s(server.received, server.executed, now)
        self._lag_s = lag_s(server, backlog_s)
        self._server, self._sampled = server, now

    def _drop(self) -> None:
        with suppress(*FAILURES):
            if self._session is not None:
                self._session.close()
        self._session = None
