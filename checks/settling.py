"""Waiting, after a boot, until all have found each other, so that a system at rest is judged."""

import time

import requests

from provision.topology import Role, Topology

POLL_INTERVAL_S = 0.3
TIMEOUT_S = 3
REQUESTS_PER_WEB = 8


def settle(topology: Topology, within_s: float) -> None:
    """Return when the system is at rest, or after `within_s` seconds: the checks tell the rest."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and not is_settled(topology):
        time.sleep(POLL_INTERVAL_S)


def is_settled(topology: Topology) -> bool:
    """Whether HAProxy has all web machines, and the application reads from all replicas."""
    try:
        return _all_are_up(topology) and _all_replicas_are_read(topology)
    except requests.RequestException:
        return False


def _all_are_up(topology: Topology) -> bool:
    balancer = topology.with_role(Role.HAPROXY)[0].address
    url = f"http://{balancer}:{topology.ports.haproxy_stats}/;csv"
    rows = [line.split(",") for line in requests.get(url, timeout=TIMEOUT_S).text.splitlines()]
    up = {row[1] for row in rows if row[0] == "web" and "UP" in row}
    return up >= {machine.name for machine in topology.with_role(Role.WEB)}


def _all_replicas_are_read(topology: Topology) -> bool:
    """Asked of our own application alone; another one's memory is not known."""
    balancer = topology.with_role(Role.HAPROXY)[0].address
    url = f"http://{balancer}:{topology.ports.http}/api/whoami"
    count = REQUESTS_PER_WEB * len(topology.with_role(Role.WEB))
    answers = [requests.get(url, timeout=TIMEOUT_S) for _ in range(count)]
    if not all("json" in answer.headers.get("Content-Type", "") for answer in answers):
        return True
    replicas = len(topology.databases) - 1
    read = [answer.json().get("database") for answer in answers]
    return len(set(read)) == replicas and None not in read
