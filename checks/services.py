"""What is asked of every service: installed, running, started at boot, rightly configured."""

from checks.expectations import expect, expect_equal
from checks.lab import Lab
from provision.topology import Machine, Role

UNITS = {
    Role.HAPROXY: {"haproxy.service"},
    Role.DNS: {"nsd.service"},
    Role.WEB: {"haproxy.service", "nginx.service", "app.service", "app.socket"},
    Role.PRIMARY: {"mysql.service", "dbagent.service", "dbagent.socket"},
    Role.REPLICA: {"mysql.service", "dbagent.service", "dbagent.socket"},
}


def expect_installed(lab: Lab, machine: Machine, *packages: str) -> None:
    """Fail unless all packages are installed."""
    missing = set(packages) - lab.facts[machine.name].packages
    look = f"apt-cache policy {' '.join(sorted(missing))}"
    expect_equal("packages that are missing", missing, set(), look=look)


def expect_running(lab: Lab, machine: Machine, unit: str) -> None:
    """Fail unless the unit is active now and started at boot."""
    full = unit if "." in unit else f"{unit}.service"
    properties = lab.facts[machine.name].units[full]
    found = (properties["ActiveState"], properties["UnitFileState"])
    look = f"journalctl -u {unit} -n 50"
    expect_equal(f"{full}, now and at boot", found, ("active", "enabled"), look=look)


def expect_valid(lab: Lab, machine: Machine, name: str, look: str) -> None:
    """Fail unless the program that reads this configuration finds it good."""
    output = lab.facts[machine.name][name]
    last = " / ".join(output.lines[-3:])
    expect(
        output.status == 0,
        expected=f"{name} is valid",
        found=f"status {output.status}: {last}",
        look=look,
    )


def expect_listening(lab: Lab, machine: Machine, *sockets: str) -> None:
    """Fail unless all of these, such as 'tcp 192.0.2.1:80', are listened on."""
    missing = set(sockets) - lab.facts[machine.name].listening
    expect_equal("listening sockets that are missing", missing, set(), look="ss -lntup")


def units_of(machine: Machine) -> set[str]:
    """Return the units that the machine's roles come with."""
    return set().union(*(UNITS[role] for role in machine.roles))


def failed_units(lab: Lab, machine: Machine, listed: str) -> set[str]:
    """Take from what systemctl lists the failed units that are a fault of ours."""
    failed = {line.split()[0] for line in listed.splitlines() if line.strip()}
    return failed if lab.is_ours_alone else failed & units_of(machine)
