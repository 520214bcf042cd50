"""Waiting, after a boot, until all have found each other, so that a system at rest is judged."""

import time
from contextlib import closing

from checks import haproxy_stats
from checks.expectations import NotAnsweringError
from checks.lab import Lab
from checks.turns import reads_to_meet_all

POLL_INTERVAL_S = 0.3
REQUESTS_PER_WEB = 8


def settle(lab: Lab, within_s: float) -> None:
    """Return when the system is at rest, or after `within_s` seconds: the checks tell the rest."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and not is_settled(lab):
        time.sleep(POLL_INTERVAL_S)


def is_settled(lab: Lab) -> bool:
    """Whether HAProxy has all web machines, and the application reads from all replicas."""
    try:
        return _all_are_up(lab) and _all_replicas_are_read(lab) and _no_database_is_missed(lab)
    except NotAnsweringError:
        return False


def _all_are_up(lab: Lab) -> bool:
    states = haproxy_stats.states_of_servers(lab)
    return all(states.get(web.name) == "UP" for web in lab.webs)


def _all_replicas_are_read(lab: Lab) -> bool:
    """Asked of our own application alone; another one's memory is not known."""
    count = reads_to_meet_all(lab.topology, REQUESTS_PER_WEB * len(lab.webs))
    with closing(lab.front_door()) as door:
        answers = [door.get("/api/whoami") for _ in range(count)]
    if not all("json" in answer.headers.get("Content-Type", "") for answer in answers):
        return True
    # Without a replica the primary is the one that is read from.
    readable = max(len(lab.topology.databases) - 1, 1)
    read = [answer.json().get("database") for answer in answers]
    return len(set(read)) == readable and None not in read


def _no_database_is_missed(lab: Lab) -> bool:
    """Whether each process of the application has forgotten that a new replica did not answer."""
    with closing(lab.front_door()) as door:
        answers = [door.get("/api/topology") for _ in range(REQUESTS_PER_WEB * len(lab.webs))]
    return all(
        database["role"] != "unreachable"
        for answer in answers
        if "json" in answer.headers.get("Content-Type", "")
        for database in answer.json().get("databases", [])
    )
