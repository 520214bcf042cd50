"""Nginx on the web machines: serves static files itself and passes the rest to the application."""

from provision.resources import Absent, File, Packages, Resource, Service
from provision.roles.site import Site
from provision.site_paths import APP_CURRENT, APP_SOCKET
from provision.templates import render
from provision.topology import Machine, Role

SITE = "/etc/nginx/conf.d/quartet.conf"
DEFAULT_SITE = "/etc/nginx/sites-enabled/default"
ONLINE = "/etc/systemd/system/nginx.service.d/quartet.conf"
UNIT = ("nginx.service",)


def resources(machine: Machine, site: Site) -> list[Resource]:
    """One site on the private address; the distribution's default site goes away."""
    topology = site.topology
    static = topology.application.static
    default = Absent(DEFAULT_SITE, loaded_by=UNIT)
    config = File(
        SITE,
        render(
            "nginx/site.conf.j2",
            name=machine.name,
            address=machine.address,
            domain=topology.domain,
            ports=topology.ports,
            load_balancers=topology.with_role(Role.HAPROXY),
            socket=APP_SOCKET,
            static=f"{APP_CURRENT}/{static}" if static else "",
        ),
        check_in_place=("nginx", "-t", "-q"),
        loaded_by=UNIT,
    )
    online = File(ONLINE, render("nginx/online.conf"))
    service = Service("nginx", reload_on=(config,), watches=(default,))
    return [Packages(("nginx",)), default, config, online, service]
