"""Nginx on the web machines: serves static files itself and passes the rest to the application."""

from provision.resources import File, Packages, Resource, Service
from provision.resources.site import DefaultSite
from provision.roles.site import Site
from provision.site_paths import APP_CURRENT, APP_SOCKET, NGINX_SITE
from provision.templates import render
from provision.topology import Machine, Role

SITE = NGINX_SITE
ONLINE = "/etc/systemd/system/nginx.service.d/quartet.conf"
UNIT = ("nginx.service",)


def resources(machine: Machine, site: Site) -> list[Resource]:
    """One site on the private address; the package's own default site goes away."""
    topology = site.topology
    static = topology.application.static
    default = DefaultSite(loaded_by=UNIT)
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
