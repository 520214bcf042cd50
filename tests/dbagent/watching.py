"""An agent's watch over a server that is put into any state, with peers that say anything."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from dbagent import watch as module
from dbagent.config import AgentError, Config, Peer
from dbagent.health import Monitor
from dbagent.peers import Word
from dbagent.server import Server
from dbagent.watch import INTERVAL_S, LEAST_ROOM_B, Watch

from tests.dbagent.fakes import Clock, config_of, server_of


class FakeMonitor:
    """Has the sample that a test gives it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.lag_s = 0.0
        self.is_primary = self.is_usable_replica = False


class Watched:
    """A watch, what it sees, and what it has done."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.clock = clock
        self.monitor = FakeMonitor(server_of(config.machine))
        self.said: dict[str, Word] = {}
        self.process = 100
        self.room_b: float = 2 * LEAST_ROOM_B
        self.fenced = 0
        self.opened: list[str] = []
        self.refuses_to_open = ""
        self.failovers: list[list[str]] = []
        self.failover_status = 0
        self.watch = Watch(config, cast("Monitor", self.monitor))

    @property
    def server(self) -> Server:
        return self.monitor.server

    @server.setter
    def server(self, server: Server) -> None:
        self.monitor.server = server

    def hear(self, *words: Word) -> None:
        """From now on these agents answer, and no others."""
        self.said = {word.name: word for word in words}

    def look(self, for_s: float = 0) -> None:
        """Look around once, or again and again for some time."""
        self.watch.look()
        until = self.clock.now + for_s
        while self.clock.now < until:
            self.clock.sleep(INTERVAL_S)
            self.watch.look()

    def words(self, config: Config, peers: tuple[Peer, ...]) -> dict[str, Word]:
        return {peer.name: self.said[peer.name] for peer in peers if peer.name in self.said}

    def fence(self, patience: float = 1) -> str:
        """Close it; one that hangs is killed, and starts anew."""
        self.fenced += 1
        if self.server.answers:
            self.server = replace(self.server, read_only=True, super_read_only=True)
        else:
            self.process += 1
        return "is read-only now"

    def open(self, config: Config, by: str, trouble: Callable[[], str]) -> list[str]:
        if problem := trouble() or self.refuses_to_open:
            raise AgentError(config.machine, f"was not opened to writes: {problem}")
        self.opened.append(by)
        return [f"{config.machine} takes writes"]

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.failovers.append(command[-3:])
        return subprocess.CompletedProcess(command, self.failover_status, "{}", "")


def install(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, folder: Path, databases: int, **settings: Any
) -> Watched:
    monkeypatch.setattr(module, "time", clock)
    watched = Watched(config_of(databases, **settings), clock)
    monkeypatch.setattr(module, "words", watched.words)
    monkeypatch.setattr(module, "fence", watched.fence)
    monkeypatch.setattr(module, "open_primary", watched.open)
    monkeypatch.setattr(module, "process", lambda: watched.process)
    monkeypatch.setattr(module, "room_b", lambda: watched.room_b)
    monkeypatch.setattr(module, "is_restarting", lambda: False)
    monkeypatch.setattr(module, "ACTED", folder / "dbagent" / "acted")
    monkeypatch.setattr(subprocess, "run", watched.run)
    return watched
