"""Roles: what a machine should look like. They run nothing, and know nothing of each other."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from provision.mysql.cluster import as_described
from provision.resources import Packages, Resource
from provision.roles import app, backups, dbagent, dns, haproxy, mysql, nginx
from provision.roles.site import Site
from provision.secrets import SecretStore
from provision.topology import Machine, Role, Topology

RoleResources = Callable[[Machine, Site], list[Resource]]

_DATABASES = frozenset({Role.PRIMARY, Role.REPLICA})
NEED_A_PRIMARY = frozenset({"mysql replication", "mysql semi-sync", "app"})
"""What can't be told while nobody knows who is primary."""
SERVER = "mysql"
"""The database server itself; a restart of it changes who takes writes."""

# In the order of work: databases first, since the application's migration writes to them.
ROLES: Mapping[str, tuple[frozenset[Role], RoleResources]] = MappingProxyType(
    {
        "haproxy": (frozenset({Role.HAPROXY, Role.WEB}), haproxy.resources),
        "dns": (frozenset({Role.DNS}), dns.resources),
        "mysql": (_DATABASES, mysql.resources),
        "mysql replication": (_DATABASES, mysql.replication_resources),
        "dbagent": (_DATABASES, dbagent.resources),
        "nginx": (frozenset({Role.WEB}), nginx.resources),
        "app": (frozenset({Role.WEB}), app.resources),
        "mysql semi-sync": (_DATABASES, mysql.closing_resources),
        "backups": (_DATABASES, backups.resources),
    }
)

SAME_FOR_A_PRIMARY = frozenset(ROLES) - {"mysql replication"}
"""What depends on nothing that a database server says, but for who is primary."""


def names() -> tuple[str, ...]:
    """What `--only` takes: the roles here, and those of topology.yml."""
    return tuple(dict.fromkeys([*map(_product, ROLES), *(role.value for role in Role)]))


def resources(
    machine: Machine,
    site: Site,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
) -> list[tuple[str, Resource]]:
    """A machine's desired resources with the role of each, packages first and in one transaction.

    `only` keeps the named roles, by either name; None keeps all. `without` leaves out some ROLES.
    """
    chosen = [
        (_product(name), resource)
        for name, (topology_roles, role_resources) in ROLES.items()
        if name not in without
        and topology_roles & set(machine.roles)
        and _is_chosen(name, topology_roles & set(machine.roles), only)
        for resource in role_resources(machine, site)
    ]
    return _packages_first(chosen)


def _is_chosen(name: str, its_roles: Collection[Role], only: Collection[str] | None) -> bool:
    return only is None or _product(name) in only or bool(set(its_roles) & set(only))


def _product(name: str) -> str:
    """The role as a person names it: 'mysql' for all three parts of MySQL."""
    return name.partition(" ")[0]


def _packages_first(chosen: list[tuple[str, Resource]]) -> list[tuple[str, Resource]]:
    packages = [resource for _, resource in chosen if isinstance(resource, Packages)]
    merged = Packages(tuple(dict.fromkeys(name for each in packages for name in each.names)))
    rest = [(name, each) for name, each in chosen if not isinstance(each, Packages)]
    return [("packages", merged), *rest] if packages else rest


def packages(topology: Topology) -> tuple[str, ...]:
    """All packages that any machine gets."""
    names = {name for each in topology.machines for name in packages_of(each, topology)}
    return tuple(sorted(names))


def packages_of(machine: Machine, topology: Topology) -> tuple[str, ...]:
    """The packages that one machine gets."""
    site = Site(topology, SecretStore(None), as_described(topology))
    return tuple(
        name
        for _, resource in resources(machine, site)
        if isinstance(resource, Packages)
        for name in resource.names
    )
