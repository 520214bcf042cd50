"""Which facts are gathered for which provider, and what is made of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from provision.doctor.facts import clock, containers, host, libvirt, network, servers
from provision.doctor.facts import processor as processors
from provision.doctor.facts import vagrant as vagrants
from provision.doctor.facts import virtualbox as boxes
from provision.doctor.finding import Finding, Severity, warning
from provision.doctor.rules import containers as container_rules
from provision.doctor.rules import host as host_rules
from provision.doctor.rules import libvirt as libvirt_rules
from provision.doctor.rules import network as network_rules
from provision.doctor.rules import servers as server_rules
from provision.doctor.rules import vagrant as vagrant_rules
from provision.doctor.rules import virtualbox as box_rules
from provision.doctor.versions import Version, parse_version
from provision.errors import QuartetError
from provision.lab.choice import machine_files
from provision.lab.packages import PORT as PACKAGE_PORT
from provision.lab.places import Places
from provision.lab.vagrant_program import ROOT as VAGRANTFILE_FOLDER
from provision.topology import Topology

# In GB, what each place has to hold: of nspawn, what `up` asks for itself; of virtual machines an
# estimate, for a box and for what a machine comes to differ from it.
STATE_GB, IMAGES_GB = 1.0, 3.0
BOX_GB, MACHINE_GB = 1.0, 2.0
LIBVIRT_IMAGES = Path("/var/lib/libvirt/images")

Examination = Callable[[Topology], Iterator[Finding]]


def examine(topology: Topology, provider: str, *, keys: Sequence[Path] = ()) -> list[Finding]:
    """Say what this host lacks for a provider, before anything is booted; changes nothing.

    `keys` are the private key files that the topology names for servers that exist already. Raises
    QuartetError if there is no such provider.
    """
    if provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise QuartetError("provider", f"there is none called {provider!r}", f"pick one of {known}")
    findings = [*_basics(), *PROVIDERS[provider](topology)]
    if provider == "ssh":
        findings += server_rules.judge_ssh(servers.ssh_facts(keys))
    return findings + list(_alternatives(topology, provider, findings))


def _basics() -> Iterator[Finding]:
    kind = host.host_kind()
    yield host_rules.judge_python(host.python_version())
    yield host_rules.judge_locale(host.character_map(), kind)
    yield host_rules.judge_clock(clock.clock())


def _nspawn(topology: Topology) -> Iterator[Finding]:
    kind, places = host.host_kind(), Places(topology.name)
    yield container_rules.judge_system(kind)
    if not kind.is_linux:
        return
    found = containers.container_host(places.state, kind.kernel)
    yield from container_rules.judge_container_host(found)
    count, wanted_mb = len(topology.machines), _memory_mb(topology)
    yield host_rules.judge_shared_memory(host.free_memory_mb(), wanted_mb, count)
    has_image = any(places.images.glob("*"))
    needs = {places.state: STATE_GB, places.cache: STATE_GB if has_image else IMAGES_GB}
    yield from host_rules.judge_rooms(host.disk_rooms(needs))
    yield _judge_range(topology, f"{topology.name}0")
    taken = network.listeners(PACKAGE_PORT)
    yield network_rules.judge_port(PACKAGE_PORT, "the package cache", topology.gateway, taken)


def _virtualbox(topology: Topology) -> Iterator[Finding]:
    kind, vagrant, box = host.host_kind(), vagrants.vagrant(), boxes.virtualbox()
    processor = processors.processor(kind)
    yield vagrant_rules.judge_vagrant(vagrant, kind)
    yield box_rules.judge_virtualbox(box, vagrant, kind)
    yield from box_rules.judge_driver(box, vagrant, kind)
    yield from box_rules.judge_kernel_module(box, kind)
    yield from box_rules.judge_virtualisation(processor, kind)
    yield from box_rules.judge_kvm_conflict(box, processor, _kernel(kind))
    yield from vagrant_rules.judge_box(topology.vagrant.box, kind)
    yield box_rules.judge_hostonly_range(topology.network, box, kind)
    yield from _virtual_room(topology, "virtualbox", Path.home() / "VirtualBox VMs")
    yield _judge_range(topology, r"vboxnet\d+|bridge\d+")


def _libvirt(topology: Topology) -> Iterator[Finding]:
    kind = host.host_kind()
    yield libvirt_rules.judge_libvirt_system(kind)
    if not kind.is_linux:
        return
    vagrant, processor = vagrants.vagrant(), processors.processor(kind)
    yield vagrant_rules.judge_vagrant(vagrant, kind)
    found = libvirt.libvirt(kind, VAGRANTFILE_FOLDER)
    yield from libvirt_rules.judge_libvirt(found, processor, kind)
    yield from vagrant_rules.judge_box(topology.vagrant.box, kind)
    yield from _virtual_room(topology, "libvirt", LIBVIRT_IMAGES)
    yield _judge_range(topology, r"virbr\d+")


def _ssh(_: Topology) -> Iterator[Finding]:
    """Servers that exist already ask nothing of this host but what `judge_ssh` looks at."""
    yield from ()


def _virtual_room(topology: Topology, provider: str, machines: Path) -> Iterator[Finding]:
    are_made = any(machine_files(topology, provider))
    free_mb, wanted_mb = host.free_memory_mb(), _memory_mb(topology)
    yield host_rules.judge_reserved_memory(free_mb, wanted_mb, are_made=are_made)
    needs = {machines: MACHINE_GB * len(topology.machines), vagrants.vagrant_home(): BOX_GB}
    if not are_made:
        yield from host_rules.judge_rooms(host.disk_rooms(needs))


def _judge_range(topology: Topology, own: str) -> Finding:
    found = network.host_network()
    return network_rules.judge_range(topology.network, topology.gateway, found, own)


def _alternatives(
    topology: Topology, provider: str, findings: Sequence[Finding]
) -> Iterator[Finding]:
    """Say which other provider could run here, where this one can't."""
    if provider == "ssh" or _can_run(findings):
        return
    others = [name for name in ("nspawn", "libvirt", "virtualbox") if name != provider]
    able = [name for name in others if _can_run(PROVIDERS[name](topology))]
    if able:
        found = f"{' and '.join(able)} would run here"
        yield warning("other providers", found, f"provider: {able[0]} in topology.yml")
    else:
        found = "none runs here as things are; ssh takes servers that exist already"
        mend = "mend the errors above, or provider: ssh in topology.yml"
        yield warning("other providers", found, mend)


def _can_run(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing is wrong, or nothing that sudo wouldn't mend."""
    errors = {finding.name for finding in findings if finding.severity is Severity.ERROR}
    return errors <= {container_rules.ROOT}


def _memory_mb(topology: Topology) -> int:
    return sum(machine.memory_mb for machine in topology.machines)


def _kernel(kind: host.HostKind) -> Version:
    return parse_version(kind.kernel) or ()


PROVIDERS: dict[str, Examination] = {
    "nspawn": _nspawn,
    "virtualbox": _virtualbox,
    "libvirt": _libvirt,
    "ssh": _ssh,
}
