"""Backups: each database machine archives its binary logs, and one of them dumps once a day."""

import json

from provision.age import backup_identity, recipient_of
from provision.release import release_of
from provision.resources import Directory, File, Link, Packages, Resource, Service
from provision.resources.tree import Tree
from provision.roles.site import Site
from provision.templates import FILES, render
from provision.topology import Machine

ROOT = "/srv/dbbackup"
CURRENT = f"{ROOT}/current"
CONFIG = "/etc/dbbackup/config.json"
UNITS = "/etc/systemd/system"
EVERY_MINUTES = 5


def resources(machine: Machine, site: Site) -> list[Resource]:
    """The programs, their settings, and the timer that runs them."""
    release = release_of(FILES / "backups")
    service = render("backups/dbbackup.service.j2", current=CURRENT)
    timer = File(
        f"{UNITS}/dbbackup.timer", render("backups/dbbackup.timer.j2", every=EVERY_MINUTES)
    )
    return [
        Packages(("age", "zstd", "python3")),
        Directory(ROOT),
        Directory(f"{ROOT}/releases"),
        Directory("/etc/dbbackup"),
        File(CONFIG, _config(machine, site)),
        Tree(f"{ROOT}/releases/{release.id}", release.archive, keep=2),
        Link(CURRENT, f"releases/{release.id}"),
        File(f"{UNITS}/dbbackup.service", service, loaded_by=("dbbackup.timer",)),
        timer,
        Service("dbbackup.timer", restart_on=(timer,)),
    ]


def _config(machine: Machine, site: Site) -> str:
    topology = site.topology
    settings = {
        "machine": machine.name,
        "databases": [each.name for each in topology.databases],
        "recipient": recipient_of(backup_identity(site.secrets)),
        "at": topology.backups.at,
        "keep_days": topology.backups.keep_days,
        "max_lag_s": topology.database.max_lag_s,
    }
    return json.dumps(settings, indent=2) + "\n"
