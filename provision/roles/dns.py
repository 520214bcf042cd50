"""NSD, an authoritative DNS server for the domain: its address, and www as an alias of it."""

from provision.resources import File, Packages, Resource, Service
from provision.roles.site import Site
from provision.templates import render
from provision.topology import Machine, Role

CONFIG = "/etc/nsd/nsd.conf.d/quartet.conf"
ZONE = "/etc/nsd/quartet.zone"


def resources(machine: Machine, site: Site) -> list[Resource]:
    """The zone and the daemon; both files are checked by NSD's own programs first."""
    topology = site.topology
    zone = File(
        ZONE,
        render(
            "dns/zone.j2",
            domain=topology.domain,
            name_server=machine.name,
            address=topology.with_role(Role.HAPROXY)[0].address,
            machines=topology.machines,
        ),
        check=("nsd-checkzone", topology.domain, "{new}"),
        loaded_by=("nsd.service",),
    )
    config = File(
        CONFIG,
        render(
            "dns/nsd.conf.j2",
            address=machine.address,
            domain=topology.domain,
            ports=topology.ports,
            zone_file=ZONE,
        ),
        check=("nsd-checkconf", "{new}"),
        loaded_by=("nsd.service",),
    )
    service = Service("nsd", restart_on=(config,), reload_on=(zone,))
    return [Packages(("nsd",)), zone, config, service]
