"""HAProxy on the load balancer: spreads requests over the web machines in turn."""

from provision.resources import File, Packages, Resource, Service
from provision.roles.site import Site
from provision.templates import render
from provision.topology import Machine, Role

CONFIG = "/etc/haproxy/haproxy.cfg"


def resources(machine: Machine, site: Site) -> list[Resource]:
    """HAProxy, checked by itself before it takes a new configuration in."""
    topology = site.topology
    config = File(
        CONFIG,
        render(
            "haproxy/haproxy.cfg.j2",
            address=machine.address,
            domain=topology.domain,
            ports=topology.ports,
            readiness=topology.application.readiness,
            passive=topology.load_balancing == "active-passive",
            web=topology.with_role(Role.WEB),
        ),
        check=("haproxy", "-c", "-f", "{new}"),
        loaded_by=("haproxy.service",),
    )
    return [Packages(("haproxy",)), config, Service("haproxy", reload_on=(config,))]
