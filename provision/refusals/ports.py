"""Ports that another program has, and one of the machine's roles needs."""

from collections.abc import Iterator

from provision.errors import QuartetError
from provision.listeners import LISTENERS, Listener, listeners_of
from provision.refusals import ours
from provision.resources import Fact, Snapshot
from provision.roles import dns, haproxy, mysql, nginx
from provision.site_paths import DATABASE_AGENT_CONFIG
from provision.topology import Machine, Role, Topology

EVERY_ADDRESS = ("0.0.0.0", "*", "[::]")  # noqa: S104 as ss and Nginx write them
LOOPBACK = "127.0.0.1"
# Where each program of ours has its settings, by which its other sockets are told to be ours.
SETTINGS = {
    "haproxy": haproxy.CONFIG,
    "nsd": dns.CONFIG,
    "nginx": nginx.SITE,
    "mysqld": mysql.CONFIG,
    "dbagent": DATABASE_AGENT_CONFIG,
}
# By its process's name the agent could be any program in Python.
INTERPRETERS = {"python3": "dbagent"}


def facts(machine: Machine) -> list[Fact]:
    """What has to be known of who listens."""
    listeners = ours.unless_ours(LISTENERS, *settings_of(machine))
    return [listeners, *ours.facts(*SETTINGS.values())]


def settings_of(machine: Machine) -> list[str]:
    """Where the settings of the machine's own programs are."""
    has = {
        "haproxy": machine.has(Role.HAPROXY) or machine.has(Role.WEB),
        "nsd": machine.has(Role.DNS),
        "nginx": machine.has(Role.WEB),
        "mysqld": machine.is_database,
        "dbagent": machine.is_database,
    }
    return [SETTINGS[program] for program, is_there in has.items() if is_there]


def refusals(machine: Machine, topology: Topology, snapshot: Snapshot) -> Iterator[QuartetError]:
    """Find each listener in the way."""
    wanted = list(_wanted(machine, topology))
    for listener in listeners_of(snapshot):
        for program, address, port in wanted:
            if listener.port == port and _meet(listener, address):
                yield from _refusal(machine, topology, snapshot, listener, program)


def _refusal(
    machine: Machine, topology: Topology, snapshot: Snapshot, listener: Listener, program: str
) -> Iterator[QuartetError]:
    # NSD names its processes "nsd: server 1" and the like; a holder without a name is none yet.
    holder = listener.program.partition(":")[0]
    if holder in ("", program) or _is_ours(snapshot, holder, program):
        return
    yield QuartetError(
        machine.name,
        f"port {listener.port} is taken by {listener.program}, and {program} needs it",
        f"stop it, or choose another port under `ports:` in {topology.path.name}",
    )


def _is_ours(snapshot: Snapshot, holder: str, program: str) -> bool:
    """Whether a program of ours holds it, which moves to its new port in the course of the run."""
    if INTERPRETERS.get(holder) == program:
        holder = program
    return holder in SETTINGS and ours.is_ours(snapshot, SETTINGS[holder])


def _wanted(machine: Machine, topology: Topology) -> Iterator[tuple[str, str, int]]:
    """The program, address and port of each role."""
    ports, own = topology.ports, str(machine.address)
    if machine.has(Role.HAPROXY):
        yield "haproxy", "*", ports.http
        yield "haproxy", own, ports.haproxy_stats
    if machine.has(Role.DNS):
        yield "nsd", own, ports.dns
        if machine.public_address:
            yield "nsd", str(machine.public_address), ports.dns
    if machine.has(Role.WEB):
        yield "nginx", own, ports.web
        yield "haproxy", LOOPBACK, ports.database_writes
        yield "haproxy", LOOPBACK, ports.database_reads
    if machine.is_database:
        yield "mysqld", own, ports.mysql
        yield "dbagent", own, ports.database_agent


def _meet(listener: Listener, address: str) -> bool:
    """Whether both can't be: HAProxy binds every IPv4 address, so any of them is in its way."""
    if address == "*":
        return listener.address in EVERY_ADDRESS or "." in listener.address
    return listener.address in (*EVERY_ADDRESS, address)
