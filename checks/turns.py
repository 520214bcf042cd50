"""Counting who served, where others may be served at the same time."""

from collections.abc import Callable

import pytest

from checks import haproxy_stats
from checks.lab import Lab
from provision.topology import Role, Topology

ATTEMPTS = 5


def undisturbed(lab: Lab, send: Callable[[], list[str]]) -> list[str]:
    """Send requests while nobody else does, and return who served each.

    Visitors take turns too, so where HAProxy counts more requests than were sent here their order
    says nothing; it is tried again a few times, and then given up as something not to be told.
    Where a request made a detour it is tried again as well, and told at last as it is.
    """
    others = 0
    for attempt in range(ATTEMPTS):
        before = haproxy_stats.traffic(lab)
        served = send()
        after = haproxy_stats.traffic(lab)
        others = after.requests - before.requests - len(served)
        is_last = attempt == ATTEMPTS - 1
        if others <= 0 and (is_last or after.detours == before.detours):
            return served
    pytest.skip(f"turns can't be counted exactly: visitors sent {others} requests in between")


def reads_to_meet_all(topology: Topology, at_least: int) -> int:
    """Return how many reads are enough to be served by every replica.

    Each worker process of the application takes the replicas in turn, so all have been met when any
    one worker has had a read for each; of so many reads, one of the workers has.
    """
    workers = len(topology.with_role(Role.WEB)) * topology.application.workers
    return max(at_least, workers * max(len(topology.databases) - 1, 1))
