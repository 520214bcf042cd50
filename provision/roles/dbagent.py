"""The database agent: says what a server is just now, and changes who is primary."""

import json

from provision.mysql.accounts import Account
from provision.mysql.agent import COMMAND
from provision.mysql.primary import AGENT_ID
from provision.release import release_of
from provision.resources import Directory, File, Link, Packages, Resource, Service
from provision.resources.tree import Tree
from provision.roles.site import Site
from provision.site_paths import DATABASE_AGENT_CONFIG, MYSQL_AUTHORITY
from provision.templates import FILES, render
from provision.topology import Machine

ROOT = "/srv/dbagent"
CURRENT = f"{ROOT}/current"
UNIT = "/etc/systemd/system/dbagent.service"
SOCKET_UNIT = "/etc/systemd/system/dbagent.socket"
LOADED_BY = ("dbagent.service",)


def resources(machine: Machine, site: Site) -> list[Resource]:
    """The agent's release, its settings, its command and its service."""
    release = release_of(FILES / "dbagent")
    config = _config(machine, site)
    unit = File(UNIT, render("dbagent/dbagent.service.j2", current=CURRENT), loaded_by=LOADED_BY)
    socket = _socket(machine, site)
    return [
        Packages(("python3-pymysql",)),
        Directory(ROOT),
        Directory(f"{ROOT}/releases"),
        Directory("/etc/dbagent", mode="0700"),
        config,
        Tree(f"{ROOT}/releases/{release.id}", release.archive, keep=2),
        Link(CURRENT, f"releases/{release.id}"),
        File(COMMAND, render("dbagent/dbagent.sh.j2", current=CURRENT), mode="0755"),
        unit,
        socket,
        Service("dbagent.socket", restart_on=(socket,)),
        Service(
            "dbagent",
            restart_on=(unit, config),
            version=release.id,
            turn=_turn(machine, site),
        ),
    ]


def _turn(machine: Machine, site: Site) -> tuple[tuple[str, str], ...]:
    """One after the other: a primary whose followers' agents are silent would close itself."""
    databases = site.topology.databases
    return tuple((each.name, AGENT_ID) for each in databases[: databases.index(machine)])


def _socket(machine: Machine, site: Site) -> File:
    return File(
        SOCKET_UNIT,
        render(
            "dbagent/dbagent.socket.j2",
            address=machine.address,
            port=site.topology.ports.database_agent,
        ),
        loaded_by=("dbagent.socket",),
    )


def _config(machine: Machine, site: Site) -> File:
    topology, accounts = site.topology, site.accounts
    known = (accounts.manager, accounts.replication, accounts.clone)
    settings = {
        "machine": machine.name,
        "databases": [{"name": m.name, "address": str(m.address)} for m in topology.databases],
        "mysql_port": topology.ports.mysql,
        "agent_port": topology.ports.database_agent,
        "ca": MYSQL_AUTHORITY,
        **{account.user: _login(account) for account in known},
        "max_lag_s": topology.database.max_lag_s,
        "automatic": topology.database.failover == "automatic",
        "pause_s": topology.database.failover_pause_s,
        "patience": topology.patience,
    }
    return File(
        DATABASE_AGENT_CONFIG,
        json.dumps(settings, indent=2) + "\n",
        mode="0600",
        secrets=tuple(account.password for account in known),
        loaded_by=LOADED_BY,
    )


def _login(account: Account) -> dict[str, str]:
    return {"user": account.user, "password": account.password}
