"""What a person asks of a drill, checked before anything is touched."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from provision.drill.events import EVENTS
from provision.errors import QuartetError
from provision.topology import Topology

MOST_WRITERS = 64
NOT_ON_SERVERS = "power-cut"


@dataclass(frozen=True)
class Wish:
    """The events in their order, and how; the same seed gives the same random moments."""

    events: tuple[str, ...]
    writers: int
    repeat: int
    seed: int
    json: Path | None = None


def wish(
    topology: Topology,
    *,
    events: tuple[str, ...] = (),
    writers: int = 4,
    repeat: int = 1,
    json: str = "",
    seed: int = 0,
    yes: bool = False,
) -> Wish:
    """Check it; QuartetError for what doesn't exist or isn't safe."""
    _check_names(events)
    _check_numbers(writers, repeat)
    _check_replicas(topology)
    chosen = events or _default(topology, yes=yes)
    if topology.provider == "ssh":
        _check_servers(topology, chosen, yes=yes)
    path = Path(json) if json else None
    return Wish(chosen, writers, repeat, seed or secrets.randbelow(10**6) + 1, path)


def _default(topology: Topology, *, yes: bool) -> tuple[str, ...]:
    if topology.provider != "ssh":
        return tuple(EVENTS)
    return tuple(name for name in EVENTS if name != NOT_ON_SERVERS) if yes else ("switchover",)


def _check_names(events: tuple[str, ...]) -> None:
    unknown = [name for name in events if name not in EVENTS]
    if unknown:
        raise QuartetError(
            "--events",
            f"no event is called {', '.join(map(repr, unknown))}",
            f"pick from {', '.join(EVENTS)}",
        )


def _check_numbers(writers: int, repeat: int) -> None:
    if not 1 <= writers <= MOST_WRITERS:
        raise QuartetError(
            "--writers", f"{writers} is no number of writers", f"1 to {MOST_WRITERS}"
        )
    if repeat < 1:
        raise QuartetError("--repeat", f"{repeat} times is never", "give a number from 1 on")


def _check_replicas(topology: Topology) -> None:
    if len(topology.databases) == 1:
        raise QuartetError(
            topology.path.name,
            "describes one database and no replica, so nobody could take over",
            "add a machine with `roles: [replica]`, then ./lab up",
        )


def _check_servers(topology: Topology, events: tuple[str, ...], *, yes: bool) -> None:
    if NOT_ON_SERVERS in events:
        raise QuartetError("--events", "nobody here can cut the power of servers that you have")
    harmful = [name for name in events if name != "switchover"]
    if harmful and not yes:
        raise QuartetError(
            topology.path.name,
            f"describes servers that you have, and {', '.join(harmful)} breaks them on purpose",
            "add --yes if that is what you want, or --events switchover",
        )
