"""What the agent does by itself: close a primary that is cut off, and fail over if it may.

A primary whom fewer replicas follow than a commit needs, by these replicas' own agents, closes
itself after CLOSE_AFTER_S: nothing that is written there could be acknowledged. So does one whose
disk is full, before MySQL hangs on it. When that is over, and they still follow it, it opens again.
A failover waits until a primary that was cut off must have closed itself.
"""

import logging
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from dbagent.config import AgentError, Config
from dbagent.fencing import UNKNOWN, fence, is_restarting, process
from dbagent.health import HEARTBEAT_S, Monitor
from dbagent.opening import open_primary
from dbagent.peers import Word, words
from dbagent.server import Server
from dbagent.survey import FAILURES

INTERVAL_S = 0.3
CLOSE_AFTER_S = 1.6
HUNG_S = 5.0
DATA = "/var/lib/mysql"
LEAST_ROOM_B = 32 * 2**20
SUSPECT_S = 2.5
"""For how long no primary is seen before the agents talk about a failover."""
OVERDUE_S = 1.0
"""For how long nothing may come, after a heartbeat was due, from a source whose agent is silent."""
NEXT_IN_LINE_S = 5.0
"""How much longer each further agent waits, so that one acts and the others are there for it."""
FAILOVER_S = 120
AGAIN_AFTER_S = 5.0
"""How long a failover that was refused is left alone."""
ACTED = Path("/var/lib/dbagent/acted")
LONG_AGO_S = 1e9
GONE_S = 1.0
"""How long it counts that no process was found: none starts and takes writes within that."""

log = logging.getLogger(__name__)


class Since:
    """For how long all has not been well: since the last look that found it so had begun."""

    def __init__(self) -> None:
        self._well = time.monotonic()
        self.looks = 0
        """How many looks in a row have found it not well."""

    def note(self, looked: float, *, is_well: bool) -> None:
        """Take in what a look at that moment found."""
        self.looks = 0 if is_well else self.looks + 1
        if is_well:
            self._well = looked

    @property
    def seconds(self) -> float:
        """How long, 0 where all is well."""
        return time.monotonic() - self._well if self.looks else 0.0


class Watch:
    """One agent's view of the others, renewed twice a second."""

    def __init__(self, config: Config, monitor: Monitor) -> None:
        self._config = config
        self.monitor = monitor
        self._alone = Since()
        self._orphaned = Since()
        self._closed_because = ""
        self._process = 0
        self._next_attempt = 0.0
        self._polled: dict[str, float] = {}
        self._gone = -math.inf

    def start(self) -> None:
        """Watch in the background."""
        threading.Thread(target=self._run, daemon=True, name="watch").start()

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a watch that ends by an unforeseen error would guard nothing
                log.exception("looking around failed")
            time.sleep(INTERVAL_S * self._config.patience)

    def look(self) -> None:
        """Look around once, and act where that is called for."""
        server = self.monitor.server
        running = self._look_for_process(server)
        if server.source:
            self._look_as_replica(server)
        elif not server.answers and self._process:
            self._look_at_silence(running)
        elif server.semi_sync_source or self._closed_because:
            self._look_as_primary(server)
        else:
            self._process = 0
            self._alone.note(time.monotonic(), is_well=True)

    def _look_for_process(self, server: Server) -> int:
        """Whether a server that doesn't answer runs at all, as `process` says it.

        Only here is systemd asked, by one thread: each question starts a program, and who asks this
        agent about a machine that is too busy to answer would make it busier.
        """
        began = time.monotonic()
        running = UNKNOWN if server.answers else process()
        self._gone = began if running == 0 else -math.inf
        return running

    # As the primary

    def _look_as_primary(self, server: Server) -> None:
        if server.is_writable and not server.semi_sync_source:
            # Somebody opened it who knows that there is no replica yet.
            self._closed_because = ""
            return
        began = time.monotonic()
        self._process = (self._process or max(0, process())) if server.is_writable else 0
        trouble = self._trouble(server)
        self._alone.note(began, is_well=not trouble)
        # After a stall of the whole machine a single look says little: all is old that was heard.
        is_alone = self._alone.seconds > self._scaled(CLOSE_AFTER_S) and self._alone.looks > 1
        if is_alone and server.is_writable:
            log.warning("%s: closing", trouble)
            self._closed_because = trouble
            log.warning("the server %s", fence(self._config.patience))
        elif self._closed_because and server.answers and not trouble:
            self._open_again(server)

    def _look_at_silence(self, running: int) -> None:
        """Kill a primary that hangs: it could wake up when another has taken its place.

        One that was started anew boots read-only, and may take its time.
        """
        self._alone.note(time.monotonic(), is_well=False)
        if self._alone.seconds > self._scaled(HUNG_S) and running == self._process:
            self._closed_because = "it did not answer"
            done = fence(self._config.patience)
            log.warning("no answer for %.0f s: the server %s", self._alone.seconds, done)

    def _trouble(self, server: Server) -> str:
        """Why a write would not be acknowledged, or nothing."""
        if not self._is_followed(server):
            return f"fewer than {self._config.acknowledgements} replicas follow it"
        return "" if room_b() >= LEAST_ROOM_B else f"its disk is full ({DATA})"

    def _is_followed(self, server: Server) -> bool:
        """Whether enough replicas say that they follow it for a commit to be acknowledged."""
        said = words(self._config, self._config.others).values()
        followers = [s for s in said if s.source == server.address and s.receiver == "ON"]
        return len(followers) >= self._config.acknowledgements

    def _open_again(self, server: Server) -> None:
        """Open what this agent closed; under the lock, so that no failover is on its way."""
        by = f"the agent on {server.name}"
        try:
            told = open_primary(self._config, by, lambda: self._trouble(server))
        except (AgentError, *FAILURES) as error:
            log.warning("not opened again: %s", error)
            return
        log.warning("it is over (%s): %s", self._closed_because, "; ".join(told))
        self._closed_because = ""

    # As a replica

    def _look_as_replica(self, server: Server) -> None:
        self._closed_because, self._process = "", 0
        self._alone.note(time.monotonic(), is_well=True)
        began = time.monotonic()
        self._orphaned.note(began, is_well=self._sees_primary(server))
        if self._config.automatic and self.suspects_s > self._scaled(SUSPECT_S):
            self._consider_failover(server)

    def _sees_primary(self, server: Server) -> bool:
        """Whether the source is heard of, and takes writes as far as its agent can be asked."""
        source = self._config.at(server.source)
        said = words(self._config, (source,)) if source else {}
        if source and source.name in said:
            word = said[source.name]
            remember_acting(word.acted_s)
            return (word.answers and not word.read_only) or word.is_restarting
        return server.receiver == "ON" and server.silent_s < HEARTBEAT_S + self._scaled(OVERDUE_S)

    def _consider_failover(self, server: Server) -> None:
        """Fail over if the replicas agree, it is this one's turn, and none did so just before."""
        source = self._config.at(server.source)
        others = tuple(peer for peer in self._config.others if peer != source)
        said = words(self._config, others)
        if not self._agree(server, list(said.values())):
            return
        if min([acted_s(), *(word.acted_s for word in said.values())]) < self._config.pause_s:
            return
        rank = sorted([server.name, *said]).index(server.name)
        if time.monotonic() < self._next_attempt:
            return
        if self.suspects_s > self._scaled(SUSPECT_S + rank * NEXT_IN_LINE_S):
            self._fail_over()

    def _agree(self, server: Server, others: list[Word]) -> bool:
        """Whether at least two machines, and all servers that answer, see no primary."""
        asked = [word for word in others if word.answers]
        least_s = self._scaled(SUSPECT_S / 2)
        suspect = [word for word in asked if _suspects(word, server.source, least_s)]
        survivors = 1 + len(suspect)
        return (
            len(suspect) == len(asked)
            and survivors > 1
            and self._config.enough_to_promote(survivors)
        )

    def _fail_over(self) -> None:
        log.warning("no primary for %.1f s, and the replicas agree: failing over", self.suspects_s)
        command = [sys.executable, "-m", "dbagent", "failover"]
        command += ["--by", f"the agent on {self._config.machine}"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=FAILOVER_S
        )
        log.warning("%s", (done.stdout + done.stderr).strip())
        self._next_attempt = time.monotonic() + AGAIN_AFTER_S
        if done.returncode == 0:
            remember_acting(0)

    def _scaled(self, seconds: float) -> float:
        """A limit, for machines as slow as these."""
        return seconds * self._config.patience

    # For others

    @property
    def suspects_s(self) -> float:
        """For how long this replica has seen no primary, in seconds."""
        return self._orphaned.seconds

    def _is_closed(self, server: Server) -> bool:
        """Whether it takes no writes, and will not when it wakes up."""
        if server.answers:
            return server.is_closed
        return time.monotonic() - self._gone < self._scaled(GONE_S)

    def brief(self) -> dict[str, Any]:
        """What a person wants to see of a health check."""
        server = self.monitor.server
        return {
            "name": self._config.machine,
            "answers": server.answers,
            "read_only": server.read_only or server.super_read_only,
            "source": server.source,
            "lag_s": round(self.monitor.lag_s, 3),
            "error": server.error,
            "closed_because": self._closed_because,
        }

    def status(self, asking: str) -> dict[str, Any]:
        """What a peer wants to know; its asking is noted, as a primary's sign of life."""
        server = self.monitor.server
        source = self._config.at(server.source)
        polled = self._polled.get(source.name if source else "", 0.0)
        if asking:
            self._next_attempt = 0.0
        self._polled[asking] = time.monotonic()
        return self.brief() | {
            "receiver": server.receiver,
            "polled_s": round(time.monotonic() - polled, 3),
            "suspects_s": round(self.suspects_s, 3),
            "acted_s": acted_s(),
            "closed": self._is_closed(server),
            "is_restarting": is_restarting(),
        }


def _suspects(word: Word, source: str, least_s: float) -> bool:
    """Whether it sees no primary either, or was left without one by a failover that was cut off."""
    if word.source:
        return word.source == source and word.suspects_s > least_s
    return word.read_only


def room_b() -> float:
    """Bytes that MySQL can still write; more than enough where its folder can't be looked at."""
    try:
        return shutil.disk_usage(DATA).free
    except OSError:
        return math.inf


def remember_acting(seconds_ago: float) -> None:
    """Note the last failover that was done by itself, here or by the source's agent."""
    if seconds_ago >= acted_s():
        return
    ACTED.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    ACTED.touch()
    moment = time.time() - seconds_ago
    os.utime(ACTED, (moment, moment))


def acted_s() -> float:
    """Seconds since this agent last failed over by itself."""
    try:
        return max(0.0, time.time() - ACTED.stat().st_mtime)
    except FileNotFoundError:
        return LONG_AGO_S
