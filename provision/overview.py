"""Overviews for the person at the screen: which machine is what, and where to look at it."""

from collections.abc import Mapping, Sequence

from provision.lab import MachineState
from provision.report import make_console, make_table
from provision.topology import Role, Topology

_SERVICES = {
    Role.HAPROXY: ("HAProxy",),
    Role.DNS: ("NSD",),
    Role.WEB: ("Nginx", "gunicorn with the application"),
    Role.PRIMARY: ("MySQL",),
    Role.REPLICA: ("MySQL",),
}


def print_status(topology: Topology, states: Mapping[str, MachineState]) -> None:
    """One line a machine: its address, its roles, whether it runs."""
    table = make_table("machine", "address", "roles", "state")
    for machine in topology.machines:
        state = states[machine.name]
        style = "green" if state is MachineState.RUNNING else "yellow"
        roles = ", ".join(machine.roles)
        table.add_row(machine.name, str(machine.address), roles, f"[{style}]{state}[/]")
    make_console().print(table)


def print_system(topology: Topology) -> None:
    """What runs where, and the addresses to open."""
    table = make_table("machine", "address", "what runs there")
    for machine in topology.machines:
        table.add_row(machine.name, str(machine.address), _services(machine.roles))
    balancer = topology.load_balancer
    port = "" if topology.ports.http == 80 else f":{topology.ports.http}"  # noqa: PLR2004
    console = make_console()
    console.print()
    console.print(table)
    console.print(
        f"\nopen        [bold]http://{topology.front_address}{port}/[/]\n"
        f"statistics  http://{balancer.address}:{topology.ports.haproxy_stats}/",
        highlight=False,
    )
    for machine in topology.with_role(Role.DNS):
        port = "" if topology.ports.dns == 53 else f" -p {topology.ports.dns}"  # noqa: PLR2004
        address = machine.public_address or machine.address
        console.print(f"DNS         dig @{address}{port} www.{topology.domain}", highlight=False)
    if len(topology.databases) == 1:
        console.print("\nno replica: what this one database loses is lost", highlight=False)


def _services(roles: Sequence[Role]) -> str:
    return ", ".join(service for role in roles for service in _SERVICES[role])
