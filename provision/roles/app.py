"""The application: released into a folder of its own, migrated once, switched to, started."""

import json

from provision.mysql.accounts import DATABASE, Account
from provision.mysql.primary import AGENT_ID, PRIMARY_ID
from provision.release import Release, release_of
from provision.resources import Directory, File, Link, Packages, Resource, Service, User
from provision.resources.migration import Migration
from provision.resources.tree import Tree
from provision.roles.site import Site
from provision.site_paths import APP_CURRENT, APP_RELEASES, APP_ROOT, APP_SOCKET
from provision.templates import FILES, render
from provision.topology import Machine, Role

USER = "app"
LOCALHOST = "127.0.0.1"
WEB_USER = "www-data"
CONFIG = "/etc/app"
ENVIRONMENT = f"{CONFIG}/environment"
MIGRATION_ENVIRONMENT = f"{CONFIG}/migration.environment"
TOPOLOGY_JSON = f"{CONFIG}/topology.json"
AUTHORITY = f"{CONFIG}/database-ca.pem"
WORKER = "whole_answers"
UNIT = "/etc/systemd/system/app.service"
SOCKET_UNIT = "/etc/systemd/system/app.socket"
BASE_PACKAGES = ("gunicorn", "python3-pymysql", "python3-cryptography")


def resources(machine: Machine, site: Site) -> list[Resource]:
    """The release, its environment and its service; the contract is in files/app/README.md."""
    release = release_of(site.topology.application.path)
    environment = _environment(machine, site, release, site.accounts.application, ENVIRONMENT)
    files = [*_shared_files(site), environment]
    unit, socket = _unit(site), _socket()
    return [
        Packages((*BASE_PACKAGES, *site.topology.application.packages)),
        # Its note tells that the user is ours too, where a run is cut off, so it comes first.
        Directory(APP_ROOT),
        User(USER),
        Directory(APP_RELEASES),
        Directory(CONFIG),
        *files,
        Tree(_folder(release), release.archive, keep=5),
        *_migration(machine, site, release),
        Link(APP_CURRENT, f"releases/{release.id}", requires=_migrated_first(machine, site)),
        unit,
        socket,
        Service("app.socket", restart_on=(socket,)),
        Service(
            "app",
            restart_on=(unit, *files),
            version=release.id,
            after=_previous_service(machine, site),
        ),
    ]


def _folder(release: Release) -> str:
    return f"{APP_RELEASES}/{release.id}"


def _shared_files(site: Site) -> list[File]:
    return [
        File(AUTHORITY, site.authority.certificate, loaded_by=("app.service",)),
        File(TOPOLOGY_JSON, _topology_json(site), loaded_by=("app.service",)),
        File(
            f"{CONFIG}/{WORKER}.py",
            (FILES / "gunicorn" / f"{WORKER}.py").read_text(encoding="utf-8"),
            loaded_by=("app.service",),
        ),
    ]


def _topology_json(site: Site) -> str:
    topology = site.topology
    machines = [
        {"name": m.name, "address": str(m.address), "roles": [role.value for role in m.roles]}
        for m in topology.machines
    ]
    known = {"domain": topology.domain, "load_balancing": topology.load_balancing}
    return json.dumps(known | {"machines": machines}, indent=2) + "\n"


def _environment(
    machine: Machine, site: Site, release: Release, account: Account, path: str
) -> File:
    topology = site.topology
    ports = topology.ports
    session_secret = site.secrets.password("session")
    variables = {
        "MACHINE_NAME": machine.name,
        "RELEASE_ID": release.id,
        "TOPOLOGY_JSON": TOPOLOGY_JSON,
        "DATABASE_WRITES": f"{LOCALHOST}:{ports.database_writes}",
        "DATABASE_READS": f"{LOCALHOST}:{ports.database_reads}",
        "DATABASE_SERVERS": ",".join(f"{m.address}:{ports.mysql}" for m in topology.databases),
        "DATABASE_NAME": DATABASE,
        "DATABASE_USER": account.user,
        "DATABASE_PASSWORD": account.password,
        "DATABASE_CA": AUTHORITY,
        "FRESH_READS": "on" if topology.database.fresh_reads else "off",
        "SESSION_SECRET": session_secret,
    }
    secrets = (account.password, session_secret)
    content = "".join(f"{name}={value}\n" for name, value in variables.items())
    # systemd reads it as root before it drops to the service's user.
    return File(path, content, mode="0600", secrets=secrets, loaded_by=("app.service",))


def _migration(machine: Machine, site: Site, release: Release) -> list[Resource]:
    command = site.topology.application.migrate
    if not command or machine != _migrating_machine(site):
        return []
    account = site.accounts.migration
    primary = site.cluster.primary
    environment = _environment(machine, site, release, account, MIGRATION_ENVIRONMENT)
    migration = Migration(
        command=command,
        folder=_folder(release),
        user=USER,
        environment=MIGRATION_ENVIRONMENT,
        version=release.id,
        ready=(LOCALHOST, site.topology.ports.database_writes),
        requires=((primary.name, PRIMARY_ID), (primary.name, AGENT_ID)),
    )
    return [environment, migration]


def _migrating_machine(site: Site) -> Machine:
    return site.topology.with_role(Role.WEB)[0]


def _migrated_first(machine: Machine, site: Site) -> tuple[tuple[str, str], ...]:
    first = _migrating_machine(site)
    if machine == first or not site.topology.application.migrate:
        return ()
    return ((first.name, Migration.ID),)


def _previous_service(machine: Machine, site: Site) -> tuple[tuple[str, str], ...]:
    """Web machines restart one after the other, so that a bad release stops at the first."""
    web = site.topology.with_role(Role.WEB)
    before = web[: web.index(machine)][-1:]
    return tuple((each.name, "service app") for each in before)


def _unit(site: Site) -> File:
    application = site.topology.application
    return File(
        UNIT,
        render(
            "gunicorn/app.service.j2",
            user=USER,
            current=APP_CURRENT,
            environment=ENVIRONMENT,
            worker_folder=CONFIG,
            worker_class=f"{WORKER}.Worker",
            workers=application.workers,
            entry_point=application.entry_point,
        ),
        loaded_by=("app.service",),
    )


def _socket() -> File:
    return File(
        SOCKET_UNIT,
        render("gunicorn/app.socket.j2", socket=APP_SOCKET, web_user=WEB_USER),
        loaded_by=("app.socket",),
    )
