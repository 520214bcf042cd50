"""MySQL: a primary and its replicas, by GTID, semi-synchronous, over TLS."""

from provision.mysql.primary import SERVICE_ID, Lossless, Primary
from provision.mysql.replica import Replica
from provision.resources import Directory, File, Packages, Resource, Service
from provision.roles.site import Site
from provision.site_paths import MYSQL_AUTHORITY as AUTHORITY
from provision.site_paths import MYSQL_CONFIG
from provision.site_paths import MYSQL_TLS as TLS
from provision.templates import render
from provision.topology import Machine

CONFIG = MYSQL_CONFIG
ONLINE = "/etc/systemd/system/mysql.service.d/quartet.conf"
UNIT = ("mysql.service",)
OWNER = "mysql:mysql"


def resources(machine: Machine, site: Site) -> list[Resource]:
    """The server with its certificate."""
    tls = _tls_files(machine, site)
    online = File(ONLINE, render("mysql/online.conf"))
    config = _config(machine, site)
    return [
        Packages(("mysql-server",)),
        Directory(TLS, owner=OWNER, mode="0750"),
        *tls,
        online,
        config,
        Service("mysql", restart_on=(config, *tls), turn=_turn(machine, site)),
    ]


def replication_resources(machine: Machine, site: Site) -> list[Resource]:
    """The server's part in replication, which can be told only when it is known who is primary."""
    return [_part(machine, site)]


def closing_resources(machine: Machine, site: Site) -> list[Resource]:
    """What the primary gets when everything else is in place."""
    if machine != site.cluster.primary:
        return []
    return [Lossless(machine.name, site.topology.acknowledgements)]


def _turn(machine: Machine, site: Site) -> tuple[tuple[str, str], ...]:
    """Replicas restart one by one and the primary last, so that reading goes on all the while."""
    order = [*site.cluster.replicas, site.cluster.primary]
    return tuple((each.name, SERVICE_ID) for each in order[: order.index(machine)])


def _tls_files(machine: Machine, site: Site) -> list[File]:
    pair = site.server_pair(machine)
    return [
        File(AUTHORITY, site.authority.certificate, OWNER, loaded_by=UNIT),
        File(f"{TLS}/server.pem", pair.certificate, OWNER, loaded_by=UNIT),
        File(f"{TLS}/server-key.pem", pair.key, OWNER, "0600", secret=True, loaded_by=UNIT),
    ]


def _config(machine: Machine, site: Site) -> File:
    return File(
        CONFIG,
        render(
            "mysql/quartet.cnf.j2",
            server_id=machine.server_id,
            address=machine.address,
            memory_mb=machine.memory_mb,
            ports=site.topology.ports,
            tls=TLS,
        ),
        check=("mysqld", "--defaults-file={new}", "--user=mysql", "--validate-config"),
        loaded_by=UNIT,
    )


def _part(machine: Machine, site: Site) -> Resource:
    cluster, accounts = site.cluster, site.accounts
    if machine == cluster.primary:
        kept = [each for each in cluster.replicas if each.name not in site.reclone]
        return Primary(
            accounts,
            cluster.is_followed and bool(kept),
            site.topology.acknowledgements,
            tuple(sorted(site.reclone)),
        )
    return Replica(
        primary=cluster.primary,
        port=site.topology.ports.mysql,
        authority=AUTHORITY,
        replication=accounts.replication,
        clone=accounts.clone,
        primary_uuid=cluster.primary_uuid,
        primary_executed=cluster.primary_executed,
        reclone=machine.name in site.reclone,
    )
