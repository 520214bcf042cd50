"""A database server with a life of its own: another product, unknown data, a source elsewhere."""

from collections.abc import Iterator

from provision.distribution import (
    NO_CANDIDATE,
    OLDEST_MYSQL,
    SERVER_PACKAGE,
    ServerPackage,
    distribution_of,
    server_package_of,
    version_tuple,
)
from provision.errors import QuartetError
from provision.mysql.accounts import DATABASE, REPLICATION
from provision.mysql.state import SERVER, Channel, DatabaseState, Reader, database_state
from provision.refusals import ours
from provision.resources import Fact, Snapshot
from provision.site_paths import MYSQL_CONFIG
from provision.topology import Machine, Topology

Found = Iterator[QuartetError]


def facts(machine: Machine) -> list[Fact]:
    """What has to be known of the server."""
    package = ours.unless_ours(SERVER_PACKAGE, MYSQL_CONFIG)
    return [package, SERVER] if machine.is_database else []


def refusals(machine: Machine, topology: Topology, snapshot: Snapshot) -> Found:
    """Find what forbids to make this server a part of the system."""
    if not machine.is_database:
        return
    package, state = server_package_of(snapshot), database_state(snapshot)
    yield from _package(machine, package, distribution_of(snapshot).title)
    if not state.configured:
        yield from _unknown_data(machine, package, state)
        yield from _contents(machine, topology, state)
        yield from _readers(machine, topology, state)
    yield from _version(machine, state)
    yield from _replication(machine, topology, state)


def _package(machine: Machine, package: ServerPackage, title: str) -> Found:
    if package.installed and not package.is_mysql:
        yield QuartetError(
            machine.name,
            f"{package.installed} is installed; MySQL would take its place and its data",
            "move its data elsewhere and purge it, or give this role to another machine",
        )
    elif package.candidate == NO_CANDIDATE:
        yield QuartetError(
            machine.name,
            f"{title} has no MySQL server to install; MariaDB won't do",
            "use Ubuntu LTS or Debian unstable for database machines",
        )
    elif package.datadir:
        yield QuartetError(
            machine.name,
            f"its MySQL is configured to have its data in {package.datadir}, and Quartet looks for"
            " them in /var/lib/mysql",
            "stop it, move them there and take `datadir` out of its configuration, or give this"
            " role to another machine",
        )


def _unknown_data(machine: Machine, package: ServerPackage, state: DatabaseState) -> Found:
    """Data that nobody can be asked about: they are neither initialised over nor taken over."""
    if not package.installed and package.has_data:
        yield QuartetError(
            machine.name,
            "/var/lib/mysql holds data, and no server is installed that it belongs to;"
            " it is not initialised over",
            "move it away (`sudo mv /var/lib/mysql /var/lib/mysql.old`), or install its server",
        )
    elif state.complaint and not _is_old(state):
        yield QuartetError(
            machine.name,
            f"its MySQL server broke off when it was asked for its state: {state.complaint}",
            "see what it says (`sudo journalctl -u mysql` there), and run this again",
        )
    elif package.is_mysql and package.has_data and not (state.answers or state.complaint):
        yield QuartetError(
            machine.name,
            "its MySQL server has data and does not let root ask it over its socket",
            "start it (`sudo systemctl start mysql`), and see that `sudo mysql --no-defaults`"
            " logs in without a password (plugin auth_socket)",
        )


def _contents(machine: Machine, topology: Topology, state: DatabaseState) -> Found:
    if DATABASE in state.schemas and not state.accounts:
        yield QuartetError(
            machine.name,
            f"its MySQL server has a database {DATABASE!r} already, and not from Quartet",
            "rename that database, or give this role to another machine",
        )
    if state.other_engine and len(topology.databases) > 1:
        yield QuartetError(
            machine.name,
            f"the table {state.other_engine} is not InnoDB, so no replica would get its rows",
            "convert it (`ALTER TABLE … ENGINE = InnoDB`), or leave replicas out",
        )


def _readers(machine: Machine, topology: Topology, state: DatabaseState) -> Found:
    for reader in dict.fromkeys(state.readers):
        if not _is_our_reader(reader, topology, state):
            yield QuartetError(
                machine.name,
                f"its MySQL server is the source of {reader.user}@{reader.host}, which isn't in"
                f" {topology.path.name}; with Quartet's settings that would end",
                "give this role to another machine; or, if nobody needs that replica any more, end"
                " it there: `sudo mysql -e 'STOP REPLICA'`",
            )


def _is_our_reader(reader: Reader, topology: Topology, state: DatabaseState) -> bool:
    if reader.host in {str(each.address) for each in topology.databases}:
        return True
    return bool(state.accounts and reader.user == REPLICATION)


def _version(machine: Machine, state: DatabaseState) -> Found:
    if _is_old(state):
        oldest = ".".join(map(str, OLDEST_MYSQL))
        yield QuartetError(
            machine.name, f"runs MySQL {state.version}, older than {oldest}", "upgrade it first"
        )


def _is_old(state: DatabaseState) -> bool:
    return bool(state.version) and version_tuple(state.version) < OLDEST_MYSQL


def _replication(machine: Machine, topology: Topology, state: DatabaseState) -> Found:
    for channel in state.channels:
        if not _is_ours(channel, topology, state):
            name = f" (channel {channel.name!r})" if channel.name else ""
            yield QuartetError(
                machine.name,
                f"its MySQL server replicates from {channel.host}{name}, which isn't in"
                f" {topology.path.name}; making it part of this system would end that",
                "give this role to another machine; or, if that source is history, let it apply"
                " all that it received (`SHOW REPLICA STATUS`), and only then end it:"
                " `sudo mysql -e 'STOP REPLICA; RESET REPLICA ALL'`",
            )


def _is_ours(channel: Channel, topology: Topology, state: DatabaseState) -> bool:
    """Whether it follows one of our servers, or one that was ours: with our account for that."""
    if channel.name:
        return False
    if channel.host in {str(each.address) for each in topology.databases}:
        return True
    return bool(state.accounts and state.source and state.source.user == REPLICATION)
