"""What the real VBoxManage says of each machine, beside what topology.yml says of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from rich.console import Console
from rich.table import Table

from provision.lab.command import run
from provision.topology import Machine, Topology
from tests.vagrant.vbox_box import CPUS, MEMORY_MB
from tests.vagrant.vbox_chroot import real
from tests.vagrant.vbox_manage import Adapters

FACT = re.compile(r'^"?([^"=]+)"?="?([^"]*)"?$', re.MULTILINE)
GUEST = re.compile(r'Normalized configuration: .*\bip(?:=>|: )"([\d.]+)"')
HEADINGS = ("memory (MB)", "cores", "nic1, nic2", "host-only adapter", "guest's address")
WIDTH = 120
NONE = "none"
EXPLAINED = f"""
Wanted is what topology.yml says. Memory, cores and cards found are what the real VBoxManage says in
`showvminfo --machinereadable`; the box has {MEMORY_MB} MB, {CPUS} cores and one card. The
host-only adapter is the one that the second card is on, as Vagrant asked VBoxManage for it; the
guest's address the one that Vagrant, by its log, would have set in the guest.
"""
NOT_SHOWN = """\
What this does NOT show:
- that a machine boots: `startvm` is the real one's, and fails for want of the kernel module
- anything in a guest: the box's disk is empty, no SSH answers, and no address is ever configured
- that the box which topology.yml names can be fetched, imported and booted: an empty one stood in
- that VirtualBox makes a host-only adapter: what Vagrant asked for was noted down and not done
- that NAT, forwarded ports and the host-only network carry anything: they are settings here
- that Vagrant gets on with this VirtualBox: it was told 7.0 by the program that stands in between
- `./lab up`, `provision`, `verify` and the other tasks on VirtualBox: they need running machines"""


@dataclass(frozen=True)
class Facts:
    """One machine as it should be, or as it is: a column each."""

    memory_mb: str
    cpus: str
    nics: str
    adapter: str
    guest: str


@dataclass(frozen=True)
class Finding:
    """One machine's facts on both sides; its name as VirtualBox has it."""

    name: str
    wanted: Facts
    found: Facts


def find(topology: Topology, machine: Machine, log: str, adapters: Adapters) -> Finding:
    """Ask VBoxManage for a machine that Vagrant has set up, and read in its log what comes next."""
    name = f"{topology.name}-{machine.name}"
    said = run(real("showvminfo", name, "--machinereadable"))
    address = GUEST.search(log)
    found = _found(dict(FACT.findall(said)), address[1] if address else NONE, adapters)
    return Finding(name, _wanted(topology, machine), found)


def _wanted(topology: Topology, machine: Machine) -> Facts:
    """Vagrant gives the host the network's first address, as topology.yml says of it."""
    return Facts(
        memory_mb=str(machine.memory_mb),
        cpus=str(machine.cpus),
        nics="nat, hostonly",
        adapter=f"{topology.network[1]}/{topology.network.netmask}",
        guest=str(machine.address),
    )


def _found(said: Mapping[str, str], guest: str, adapters: Adapters) -> Facts:
    nics = [said.get(f"nic{number}", NONE) for number in range(1, 9)]
    adapter = adapters.get(said.get("hostonlyadapter2", NONE), {})
    return Facts(
        memory_mb=said.get("memory", NONE),
        cpus=said.get("cpus", NONE),
        nics=", ".join(nic for nic in nics if nic != NONE),
        adapter="/".join(adapter.values()) or NONE,
        guest=guest,
    )


def report(findings: Sequence[Finding]) -> int:
    """Print all, then what it doesn't show; 1 where there is nothing, or something differs."""
    table = Table("machine", "", *HEADINGS, "same")
    for finding in findings:
        same = finding.wanted == finding.found
        table.add_row(finding.name, "wanted", *astuple(finding.wanted))
        table.add_row("", "found", *astuple(finding.found), "yes" if same else "NO")
    Console(width=WIDTH).print(table)
    print(f"{EXPLAINED}\n{NOT_SHOWN}", flush=True)
    return int(not findings or any(each.wanted != each.found for each in findings))
