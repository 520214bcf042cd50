"""What forbids to change anything: a machine that already serves somebody, in a way we would break.

Each function looks at what machines answered and returns errors; nothing is run here.
"""

from collections.abc import Iterator, Mapping

from provision.distribution import (
    DISTRIBUTION,
    NO_CANDIDATE,
    OLDEST_MYSQL,
    SERVER_PACKAGE,
    distribution_of,
    server_package_of,
    version_tuple,
)
from provision.errors import QuartetError
from provision.listeners import LISTENERS, Listener, listeners_of
from provision.mysql.accounts import DATABASE
from provision.mysql.state import DatabaseState, database_state
from provision.resources import Fact, Snapshot
from provision.resources.file import FILES
from provision.resources.site import LISTENS, site_listens
from provision.resources.user import USERS
from provision.roles import app
from provision.roles.nginx import SITE
from provision.site_paths import APP_ROOT
from provision.topology import Machine, Role, Topology

Found = Iterator[QuartetError]
# Where Quartet keeps its notes on a machine: without it, the machine is new to us.
NOTES = Fact(FILES, "/var/lib/quartet")
APP_USER = Fact(USERS, app.USER)
TAKEN = (Fact(FILES, app.UNIT), Fact(FILES, APP_ROOT))
WILDCARDS = ("0.0.0.0", "*", "[::]")  # noqa: S104 as ss and Nginx write them


def facts(machine: Machine) -> list[Fact]:
    """What has to be known of a machine to refuse it."""
    web = [LISTENS, APP_USER, *TAKEN] if machine.has(Role.WEB) else []
    database = [SERVER_PACKAGE] if machine.is_database else []
    return [DISTRIBUTION, LISTENERS, NOTES, *web, *database]


def refusals(topology: Topology, snapshots: Mapping[str, Snapshot]) -> list[QuartetError]:
    """Everything that stands against provisioning these machines."""
    return [
        error
        for machine in topology.machines
        if machine.name in snapshots
        for error in _of(machine, topology, snapshots[machine.name])
    ]


def _of(machine: Machine, topology: Topology, snapshot: Snapshot) -> Found:
    yield from _distribution(machine, snapshot)
    yield from _ports(machine, topology, snapshot)
    is_first_contact = snapshot.get(NOTES) is None
    if machine.has(Role.WEB):
        yield from _sites(machine, topology, snapshot)
    if machine.has(Role.WEB) and is_first_contact:
        yield from _names(machine, snapshot)
    if machine.is_database and is_first_contact:
        yield from _schema(machine, database_state(snapshot))
    if machine.is_database:
        yield from _server(machine, snapshot)
        yield from _replication(machine, topology, database_state(snapshot))


def _distribution(machine: Machine, snapshot: Snapshot) -> Found:
    found = distribution_of(snapshot)
    if not found.has_apt:
        yield QuartetError(
            machine.name,
            f"runs {found.title or found.family}; Quartet installs Debian packages",
            "use a server with Debian or Ubuntu",
        )


def _server(machine: Machine, snapshot: Snapshot) -> Found:
    """Whether a MySQL server can be there without harm to one that is."""
    found, state = server_package_of(snapshot), database_state(snapshot)
    if found.installed and not found.is_mysql:
        yield QuartetError(
            machine.name,
            f"{found.installed} is installed; MySQL would take its place and its data",
            "move its data elsewhere and purge it, or give this role to another machine",
        )
    elif found.has_data and not state.configured:
        yield QuartetError(
            machine.name,
            "/var/lib/mysql holds data, and no server is installed that it belongs to;"
            " it is not initialised over",
            "move it away (`sudo mv /var/lib/mysql /var/lib/mysql.old`), or install its server",
        )
    elif found.candidate == NO_CANDIDATE:
        yield QuartetError(
            machine.name,
            f"{distribution_of(snapshot).title} has no MySQL server to install; MariaDB won't do",
            "use Ubuntu LTS or Debian unstable for database machines",
        )
    elif state.version and version_tuple(state.version) < OLDEST_MYSQL:
        oldest = ".".join(map(str, OLDEST_MYSQL))
        yield QuartetError(
            machine.name, f"runs MySQL {state.version}, older than {oldest}", "upgrade it first"
        )


def _replication(machine: Machine, topology: Topology, state: DatabaseState) -> Found:
    """Whether the server follows somebody who isn't ours."""
    ours = {str(each.address) for each in topology.databases}
    for channel in state.channels:
        if channel.host not in ours or channel.name:
            name = f" (channel {channel.name!r})" if channel.name else ""
            yield QuartetError(
                machine.name,
                f"its MySQL server replicates from {channel.host}{name}, which isn't in"
                f" {topology.path.name}; making it part of this system would end that",
                "if that's over, run there `sudo mysql -e 'STOP REPLICA; RESET REPLICA ALL'`;"
                " else give this role to another machine",
            )


def _ports(machine: Machine, topology: Topology, snapshot: Snapshot) -> Found:
    """Whether another program has a port that one of the machine's roles needs."""
    wanted = list(_wanted(machine, topology))
    for listener in listeners_of(snapshot):
        for program, address, port in wanted:
            if (
                listener.port == port
                and _meet(listener, address)
                and _is_foreign(listener, program)
            ):
                yield QuartetError(
                    machine.name,
                    f"port {port} is taken by {listener.program}, and {program} needs it",
                    f"stop it, or choose another port under `ports:` in {topology.path.name}",
                )


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
    if machine.is_database:
        yield "mysqld", own, ports.mysql


def _meet(listener: Listener, address: str) -> bool:
    return address == "*" or listener.address in (*WILDCARDS, address)


def _is_foreign(listener: Listener, program: str) -> bool:
    """Whether it is somebody else's; a holder that ss doesn't name is no obstacle yet."""
    # NSD names its processes "nsd: server 1" and the like.
    return listener.program.partition(":")[0] not in ("", program)


def _sites(machine: Machine, topology: Topology, snapshot: Snapshot) -> Found:
    """Whether a site of the machine's owner would lose its visitors to ours."""
    mine = f"{machine.address}:{topology.ports.web}"
    for file, listens in site_listens(snapshot).items():
        taken = [each for each in listens if _address_and_port(each) in _reach(mine)]
        if file != SITE and taken:
            yield QuartetError(
                machine.name,
                f"{file} already serves {taken[0]}, and would lose its visitors at {mine}",
                f"choose another port for Nginx: `ports: {{web: 8081}}` in {topology.path.name}",
            )


def _names(machine: Machine, snapshot: Snapshot) -> Found:
    """Whether names that the application needs are somebody else's, on a machine new to us."""
    shell = snapshot.get(APP_USER)
    if shell is not None and not shell.endswith(("/nologin", "/false")):
        yield QuartetError(
            machine.name,
            f"has a user {app.USER!r} who can log in ({shell}); the application's may not",
            f"rename that user there: `sudo usermod --login NEW {app.USER}`",
        )
    for fact in TAKEN:
        if snapshot.get(fact) is not None:
            yield QuartetError(
                machine.name,
                f"{fact.key} is there already, and not from Quartet",
                "move it away, or give the role web to another machine",
            )


def _schema(machine: Machine, state: DatabaseState) -> Found:
    if DATABASE in state.schemas:
        yield QuartetError(
            machine.name,
            f"its MySQL server has a database {DATABASE!r} already, and not from Quartet",
            "rename that database, or give this role to another machine",
        )


def _reach(mine: str) -> tuple[str, ...]:
    port = mine.rpartition(":")[2]
    return (mine, f"*:{port}")


def _address_and_port(listen: str) -> str:
    """What `listen` means, as ADDRESS:PORT: a port alone is for all addresses."""
    if listen.startswith("unix:"):
        return listen
    host, _, port = listen.rpartition(":") if ":" in listen else ("*", "", listen)
    if not port.isdigit():
        host, port = listen, "80"
    return f"{'*' if host in WILDCARDS else host}:{port}"
