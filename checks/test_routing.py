"""Each web machine finds the primary and the replicas by itself, on ports of its own."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from checks import services
from checks.databases import Database
from checks.expectations import expect, expect_equal
from checks.haproxy_stats import servers_up
from checks.lab import Lab
from checks.waiting import wait_until
from checks.ways import LOOPBACK
from provision.topology import Machine

LOOK = "journalctl -u haproxy -n 50"
pytestmark = [
    pytest.mark.asks_mysql,
    pytest.mark.area("routing"),
    pytest.mark.look(LOOK),
]

FOLLOWS_WITHIN_S = 2
# Others connect in between and take turns, too.
CONNECTIONS_PER_SERVER = 6


@pytest.mark.without_answer
def test_haproxy_is_installed(lab: Lab, web: Machine) -> None:
    services.expect_installed(lab, web, "haproxy")


@pytest.mark.without_answer
def test_haproxy_runs_now_and_after_a_boot(lab: Lab, web: Machine) -> None:
    services.expect_running(lab, web, "haproxy")


@pytest.mark.without_answer
def test_configuration_is_valid(lab: Lab, web: Machine) -> None:
    look = "haproxy -c -f /etc/haproxy/haproxy.cfg"
    services.expect_valid(lab, web, "haproxy configuration", look)


@pytest.mark.without_answer
@pytest.mark.look("ss -lntp")
def test_ways_to_the_databases_are_open_to_this_machine_alone(lab: Lab, web: Machine) -> None:
    facts, ports = lab.facts[web.name], lab.topology.ports
    ways = {str(ports.database_writes), str(ports.database_reads)}
    # Other programs of somebody's may listen on such ports, at other addresses.
    sockets = facts.listening if lab.is_ours_alone else facts.listening_of("haproxy.service")
    found = {each for each in sockets if each.rpartition(":")[2] in ways}
    expect_equal("sockets of the ways", found, {f"tcp {LOOPBACK}:{port}" for port in ways})


def test_writes_have_one_server_the_one_that_takes_them(lab: Lab, web: Machine) -> None:
    _expect_soon(lab, web, "primary", _writable(lab))


def test_usable_replica_gets_reads(lab: Lab, web: Machine, replica: Machine) -> None:
    wait_until(
        lambda: servers_up(lab, web, "replicas"),
        lambda up: replica.name in up,
        expected=f"{replica.name} up for reads",
        within_s=FOLLOWS_WITHIN_S,
        at=web,
        look=LOOK,
    )


def test_primary_gets_no_reads_as_a_replica(
    lab: Lab, web: Machine, followed_primary: Machine
) -> None:
    wait_until(
        lambda: servers_up(lab, web, "replicas"),
        lambda up: followed_primary.name not in up,
        expected=f"{followed_primary.name} not among the replicas",
        within_s=FOLLOWS_WITHIN_S,
        at=web,
        look=LOOK,
    )


def test_connection_for_writes_reaches_the_server_that_takes_them(lab: Lab, web: Machine) -> None:
    found = _reached(lab, web, lab.topology.ports.database_writes)
    expect_equal("server and read_only", found, {(name, 0) for name in _writable(lab)})


def test_connections_for_reads_reach_all_replicas_and_them_alone(lab: Lab, web: Machine) -> None:
    found = _reached(lab, web, lab.topology.ports.database_reads)
    replicas = {(replica.name, 1) for replica in lab.replicas}
    expect_equal("servers and read_only", found, replicas or {(lab.primary.name, 0)})


@pytest.mark.disruptive
@pytest.mark.look("mysql -E -e 'SHOW REPLICA STATUS'")
def test_replica_that_stops_applying_loses_its_reads_until_it_applies_again(
    lab: Lab, replica: Machine
) -> None:
    _wait_until_read_from(lab, replica, time.monotonic())
    with _applier_stopped(lab, replica):
        _wait_until_left_alone(lab, replica, time.monotonic())
        for web in lab.webs:
            names = {name for name, _ in _reached(lab, web, lab.topology.ports.database_reads)}
            expect(replica.name not in names, expected=f"no {replica.name}", found=names, at=web)
    _wait_until_read_from(lab, replica, time.monotonic())


@contextmanager
def _applier_stopped(lab: Lab, replica: Machine) -> Iterator[None]:
    """It receives and acknowledges on, so that writes go on as well."""
    host = lab.root(replica)
    try:
        host.check_output("mysql --execute=%s", "STOP REPLICA SQL_THREAD")
        yield
    finally:
        host.check_output("mysql --execute=%s", "START REPLICA SQL_THREAD")


def _wait_until_left_alone(lab: Lab, replica: Machine, since: float) -> None:
    wait_until(
        lambda: _webs_that_read_from(lab, replica),
        lambda webs: not webs,
        expected=f"no web machine reads from {replica.name}",
        within_s=FOLLOWS_WITHIN_S,
        since=since,
        look=LOOK,
    )


def _wait_until_read_from(lab: Lab, replica: Machine, since: float) -> None:
    every_web = {web.name for web in lab.webs}
    wait_until(
        lambda: _webs_that_read_from(lab, replica),
        lambda webs: webs == every_web,
        expected=f"every web machine reads from {replica.name}",
        within_s=FOLLOWS_WITHIN_S,
        since=since,
        look=LOOK,
    )


def _webs_that_read_from(lab: Lab, replica: Machine) -> set[str]:
    return {web.name for web in lab.webs if replica.name in servers_up(lab, web, "replicas")}


def _expect_soon(lab: Lab, web: Machine, backend: str, expected: set[str]) -> None:
    wait_until(
        lambda: servers_up(lab, web, backend),
        lambda found: found == expected and len(found) == 1,
        expected=f"up in {backend}: {' '.join(sorted(expected))}, and no more than one",
        within_s=FOLLOWS_WITHIN_S,
        at=web,
        look=LOOK,
    )


def _writable(lab: Lab) -> set[str]:
    """Name the servers that take writes right now, as they say themselves."""
    return {
        name
        for name, database in lab.databases.items()
        if database.value("SELECT @@GLOBAL.read_only") == 0
    }


def _reached(lab: Lab, web: Machine, port: int) -> set[tuple[str, int]]:
    """Connect as programs on the web machine do; say which servers answered, and their read_only.

    TLS must hold end to end: with a certificate that is made out to the address that is asked.
    """
    there = replace(web, address=IPv4Address(LOOPBACK))
    way = Database(there, lab.ways.through(web, LOOPBACK, port), lab.secrets)
    names = {machine.server_id: machine.name for machine in lab.topology.databases}
    answers = [_who_answers(way) for _ in range(CONNECTIONS_PER_SERVER * len(names))]
    return {(names[server_id], read_only) for server_id, read_only in answers}


def _who_answers(way: Database) -> tuple[int, int]:
    with closing(way.connect("monitor")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@server_id AS id, @@GLOBAL.read_only AS read_only")
        (row,) = cursor.fetchall()
    return int(row["id"]), int(row["read_only"])
