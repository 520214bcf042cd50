"""HAProxy: the front door on the load balancer, and on web machines the way to the databases."""

from provision.resources import File, Packages, Resource, Service
from provision.roles.site import Site
from provision.templates import render
from provision.topology import Machine, Role

CONFIG = "/etc/haproxy/haproxy.cfg"


def resources(machine: Machine, site: Site) -> list[Resource]:
    """HAProxy, checked by itself before it takes a new configuration in."""
    config = File(
        CONFIG,
        _config(machine, site),
        check=("haproxy", "-c", "-f", "{new}"),
        loaded_by=("haproxy.service",),
    )
    return [Packages(("haproxy",)), config, Service("haproxy", reload_on=(config,))]


def _config(machine: Machine, site: Site) -> str:
    """What the machine's roles need; not who is primary, so a role change changes no file."""
    topology = site.topology
    return render(
        "haproxy/haproxy.cfg.j2",
        address=machine.address,
        domain=topology.domain,
        ports=topology.ports,
        patience=topology.patience,
        readiness=topology.application.readiness,
        passive=topology.load_balancing == "active-passive",
        is_front_door=machine.has(Role.HAPROXY),
        web=topology.with_role(Role.WEB),
        databases=topology.databases if machine.has(Role.WEB) else (),
    )
