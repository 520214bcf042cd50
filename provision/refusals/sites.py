"""What web servers on the machine serve already, and would no longer."""

from collections.abc import Iterator

from provision.errors import QuartetError
from provision.refusals import ours
from provision.refusals.ports import EVERY_ADDRESS
from provision.resources import Fact, Snapshot
from provision.resources.conffile import conffile, is_changed
from provision.resources.site import LISTENS, site_listens
from provision.roles import haproxy, nginx
from provision.topology import Machine, Role, Topology

HAPROXY_CONFIG = conffile("haproxy", haproxy.CONFIG)


def facts(machine: Machine) -> list[Fact]:
    """What has to be known of sites, and of the configuration of an HAProxy."""
    web = [LISTENS, *ours.facts(nginx.SITE)] if machine.has(Role.WEB) else []
    config = ours.unless_ours(HAPROXY_CONFIG, haproxy.CONFIG)
    proxy = [config, *ours.facts(haproxy.CONFIG)] if _roles_with_haproxy(machine) else []
    return [*web, *proxy]


def refusals(machine: Machine, topology: Topology, snapshot: Snapshot) -> Iterator[QuartetError]:
    """Find a site whose visitors would come to ours, and an HAProxy that somebody set up."""
    if machine.has(Role.WEB) and not ours.is_ours(snapshot, nginx.SITE):
        yield from _sites(machine, topology, snapshot)
    if _roles_with_haproxy(machine) and not ours.is_ours(snapshot, haproxy.CONFIG):
        yield from _proxy(machine, snapshot)


def _sites(machine: Machine, topology: Topology, snapshot: Snapshot) -> Iterator[QuartetError]:
    mine = f"{machine.address}:{topology.ports.web}"
    reach = (mine, f"*:{topology.ports.web}")
    for file, listens in site_listens(snapshot).items():
        taken = [each for each in listens if _address_and_port(each) in reach]
        if file != nginx.SITE and taken:
            yield QuartetError(
                machine.name,
                f"{file} already serves {taken[0]}, and would lose its visitors at {mine}",
                f"choose another port for Nginx: `ports: {{web: 8081}}` in {topology.path.name}",
            )


def _roles_with_haproxy(machine: Machine) -> list[Role]:
    """Which of its roles bring an HAProxy: in front of web machines, or on them to the databases.

    A packaged HAProxy has one configuration, so somebody's own and ours can't both be in use.
    """
    return [role for role in (Role.HAPROXY, Role.WEB) if machine.has(role)]


def _proxy(machine: Machine, snapshot: Snapshot) -> Iterator[QuartetError]:
    if is_changed(snapshot, HAPROXY_CONFIG):
        roles = " and ".join(f"the role {role}" for role in _roles_with_haproxy(machine))
        yield QuartetError(
            machine.name,
            f"{haproxy.CONFIG} is somebody's own; Quartet writes the whole of it",
            f"give {roles} to another machine, or, if nobody needs it any more, move it"
            f" away: `sudo mv {haproxy.CONFIG} {haproxy.CONFIG}.old`",
        )


def _address_and_port(listen: str) -> str:
    """What `listen` means, as ADDRESS:PORT: a port alone is for all addresses."""
    if listen.startswith("unix:"):
        return listen
    host, _, port = listen.rpartition(":") if ":" in listen else ("*", "", listen)
    if not port.isdigit():
        host, port = listen, "80"
    return f"{'*' if host in EVERY_ADDRESS else host}:{port}"
