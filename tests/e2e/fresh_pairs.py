"""Write, then read what was written: through the front door, while every replica is late.

The replicas are made late where they apply, and not on their way: a semi-synchronous write is only
acknowledged once a replica has received it, so a slow network delays the writer as well, and by
the time that he reads, the replica has it. With binlog_group_commit_sync_delay a replica that
applies a transaction waits so long before it makes it visible, as one that is busy does. (This
way also needs nothing of the kernel; netem isn't in every one.)
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import requests

from tests.e2e.sandbox import Sandbox

DELAY_MS = 300
CLIENTS = 4


@dataclass(frozen=True)
class Pair:
    """A message was written and read at once; `database` answered the read."""

    is_fresh: bool
    database: str


@contextmanager
def late_replicas(sandbox: Sandbox) -> Iterator[list[str]]:
    """Every replica shows what it receives DELAY_MS later; gives their names."""
    names = [each.name for each in sandbox.topology.databases]
    replicas = [name for name in names if _sql(sandbox, name, "SELECT @@super_read_only") == "1"]
    try:
        _delay(sandbox, replicas, DELAY_MS * 1000)
        yield replicas
    finally:
        _delay(sandbox, replicas, 0)


def write_and_read(sandbox: Sandbox, count: int, *, fresh: bool) -> list[Pair]:
    """So many pairs, by a few clients with a session each; the cookie is all that they carry."""

    def client(number: int) -> list[Pair]:
        with requests.Session() as session:
            return [_pair(sandbox, session, fresh=fresh) for _ in range(number, count, CLIENTS)]

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [pair for pairs in pool.map(client, range(CLIENTS)) for pair in pairs]


def _pair(sandbox: Sandbox, session: requests.Session, *, fresh: bool) -> Pair:
    message = {"author": "e2e", "text": "is it there?"}
    stored = session.post(sandbox.url("/api/messages"), json=message, timeout=20)
    assert stored.status_code == 201, stored.text
    switch = "on" if fresh else "off"
    url = sandbox.url(f"{stored.headers['Location']}?fresh={switch}")
    answer = session.get(url, timeout=20)
    assert answer.status_code in (200, 404), answer.text
    return Pair(answer.status_code == 200, _database(answer))


def _database(answer: requests.Response) -> str:
    body = answer.json()
    return body["served_by"]["database"] if "served_by" in body else ""


def _delay(sandbox: Sandbox, replicas: list[str], microseconds: int) -> None:
    for name in replicas:
        _sql(sandbox, name, f"SET GLOBAL binlog_group_commit_sync_delay = {microseconds}")


def _sql(sandbox: Sandbox, machine: str, statement: str) -> str:
    return sandbox.ssh(machine, f"sudo mysql -N -e '{statement}'").strip()
