"""NSD, an authoritative DNS server for the domain: its address, and www as an alias of it."""

from provision.resources import File, Packages, Resource, Service
from provision.roles.site import Site
from provision.templates import render
from provision.topology import Machine

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
            address=topology.front_address,
            machines=topology.machines,
        ),
        check=("nsd-checkzone", topology.domain, "{new}"),
        loaded_by=("nsd.service",),
    )
    config = File(
        CONFIG,
        render(
            "dns/nsd.conf.j2",
            addresses=[each for each in (machine.address, machine.public_address) if each],
            domain=topology.domain,
            ports=topology.ports,
            zone_file=ZONE,
        ),
        check=("nsd-checkconf", "{new}"),
        loaded_by=("nsd.service",),
    )
    service = Service("nsd", restart_on=(config,), reload_on=(zone,))
    return [Packages(("nsd",)), zone, config, service]
