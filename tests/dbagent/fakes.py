"""What the agent's tests are made of: settings, servers' states, agents' words, a clock."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dbagent.config import Config, Login, Peer
from dbagent.gtid import GtidSet
from dbagent.peers import Word
from dbagent.server import Server
from dbagent.survey import View


def uuid_of(name: str) -> str:
    """The server uuid of db-N."""
    return f"00000000-0000-0000-0000-{int(name.partition('-')[2]):012}"


def address_of(name: str) -> str:
    return f"192.0.2.{name.partition('-')[2]}"


def gtids(*texts: str) -> GtidSet:
    """Transactions as 'db-1:1-5', with a server's name in the place of its uuid."""
    parts = (text.partition(":") for text in texts if text)
    return GtidSet(",".join(f"{uuid_of(name)}:{spans}" for name, _, spans in parts))


def config_of(databases: int = 3, machine: str = "db-1", **settings: Any) -> Config:
    """The settings of an agent among so many databases, db-1 and on."""
    names = [f"db-{number}" for number in range(1, databases + 1)]
    defaults: dict[str, Any] = {
        "mysql_port": 3306,
        "agent_port": 8008,
        "ca": "/etc/mysql/tls/ca.pem",
        "manager": Login("manager", "m"),
        "replication": Login("replication", "r"),
        "clone": Login("clone", "c"),
        "max_lag_s": 5,
        "automatic": False,
        "pause_s": 600,
    }
    peers = tuple(Peer(name, address_of(name)) for name in names)
    return Config(machine=machine, databases=peers, **{**defaults, **settings})


def server_of(name: str, **facts: Any) -> Server:
    """A server that answers, read-only and without a source, unless `facts` say otherwise."""
    blank = Server(name, address_of(name), answers=True, server_uuid=uuid_of(name), version="9.7.0")
    return replace(blank, **facts)


def primary_of(name: str, executed: str = "", **facts: Any) -> Server:
    own = {"read_only": False, "super_read_only": False, "semi_sync_source": True}
    return server_of(name, **{**own, "executed": gtids(executed), **facts})


def replica_of(
    name: str,
    source: str,
    executed: str = "",
    received: str = "",
    of_its_own: str = "",
    **facts: Any,
) -> Server:
    own = {"source": address_of(source), "receiver": "ON", "applier": "ON"}
    sets = {"executed": gtids(executed, of_its_own), "received": gtids(received)}
    return server_of(name, **{**own, **sets, **facts})


def dead(name: str) -> Server:
    return Server(name, address_of(name), receiver_error="no route to host")


def view_of(*servers: Server) -> View:
    """All servers at one moment, in this order."""
    return View(config_of(len(servers)), {server.name: server for server in servers})


def word_from(name: str, **said: Any) -> Word:
    """The word of an agent whose server answers, read-only, with all well."""
    well = Word(
        name,
        answers=True,
        read_only=True,
        source="",
        receiver="OFF",
        polled_s=0.1,
        suspects_s=0.0,
        acted_s=1e9,
        closed=True,
        closed_because="",
    )
    return replace(well, **said)


def follower(name: str, source: str, **said: Any) -> Word:
    return word_from(name, **{"source": address_of(source), "receiver": "ON", **said})


class Clock:
    """Stands in for the module `time`; it moves when somebody sleeps, by LEAST_S at least."""

    LEAST_S = 0.1

    def __init__(self) -> None:
        self.now = 10_000.0
        self._later: list[tuple[float, Callable[[], object]]] = []

    def at(self, moment: float, action: Callable[[], object]) -> None:
        """Do something when it is that late."""
        self._later.append((moment, action))

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, self.LEAST_S)
        due = [action for moment, action in self._later if moment <= self.now]
        self._later = [each for each in self._later if each[0] > self.now]
        for action in due:
            action()
