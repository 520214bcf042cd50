"""Whether VirtualBox can run here, and Vagrant can drive it."""

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError

from provision.doctor.facts.host import HostKind
from provision.doctor.facts.processor import Processor
from provision.doctor.facts.vagrant import VagrantFacts
from provision.doctor.facts.virtualbox import VirtualBoxFacts
from provision.doctor.finding import Finding, error, ok, warning
from provision.doctor.rules.vagrant import newer_vagrant
from provision.doctor.versions import Version, shown

# VirtualBox series -> the first Vagrant that drives it: driver_map in hashicorp/vagrant,
# plugins/providers/virtualbox/driver/meta.rb, at the tags from v2.2.0 to v2.4.9, and CHANGELOG.md
# there (GH-10379, GH-11250, GH-12947, GH-13513, GH-13709).
FIRST_VAGRANT: dict[Version, Version] = {
    (6, 0): (2, 2, 1),
    (6, 1): (2, 2, 7),
    (7, 0): (2, 3, 2),
    (7, 1): (2, 4, 2),
    (7, 2): (2, 4, 9),
}

# Host-only ranges have been restricted since 6.1.28; VirtualBox 7 on macOS ignores the file
# (hashicorp/vagrant, plugins/providers/virtualbox/action/network.rb, and VirtualBox manual 6.7).
RESTRICTING_SINCE = (6, 1, 28)
UNRESTRICTED_ON_MAC_SINCE = (7, 0)
DEFAULT_RANGE = IPv4Network("192.168.56.0/21")
NETWORKS_CONF = "/etc/vbox/networks.conf"

# From 6.12 on, loading KVM switches VT-x or AMD-V on and keeps it: VirtualBox's changelog for 7.1,
# VirtualBox/virtualbox issues 81, 141 and 188. VirtualBox 7.2.2 borrows it from KVM where the
# kernel is 6.16 or later (NixOS/nixpkgs pull request 444438); from 7.2.10 on it insists on that,
# and enable_virt_at_load=0 is what stops it (VirtualBox/virtualbox issues 711 and 713).
KVM_HOLDS_SINCE = (6, 12)
KVM_LENDS_SINCE = (6, 16)
BORROWS_SINCE = (7, 2, 2)
INSISTS_SINCE = (7, 2, 10)
KVM_OPTION = (
    "echo options kvm enable_virt_at_load=0 | sudo tee /etc/modprobe.d/quartet-virtualbox.conf"
)

# Debian's releases have no package of it; Oracle's are named after the series.
PACKAGES = "https://www.virtualbox.org/wiki/Linux_Downloads"
OLD_PACKAGES = "https://www.virtualbox.org/wiki/Download_Old_Builds"


def judge_virtualbox(box: VirtualBoxFacts, vagrant: VagrantFacts, kind: HostKind) -> Finding:
    """Tell whether it is installed."""
    if box.version:
        return ok("VirtualBox", shown(box.version))
    series = max(_driven_by(vagrant), default=max(FIRST_VAGRANT))
    return error("VirtualBox", "not installed: no VBoxManage", _installing(kind, series))


def judge_driver(box: VirtualBoxFacts, vagrant: VagrantFacts, kind: HostKind) -> Iterator[Finding]:
    """Tell whether this Vagrant drives it; the drivers it has count more than its version."""
    if box.version is None or vagrant.version is None:
        return
    series, name = box.version[:2], "Vagrant's driver"
    drives = _driven_by(vagrant)
    if series in drives:
        yield ok(name, f"Vagrant {shown(vagrant.version)} drives VirtualBox {shown(series)}")
        return
    found = f"Vagrant {shown(vagrant.version)} can't drive VirtualBox {shown(series)}"
    first = FIRST_VAGRANT.get(series)
    ways = [newer_vagrant(first, kind)] if first else []
    ways += [_installing(kind, max(drives))] if drives else []
    yield error(name, found, ", or ".join(ways))


def judge_kernel_module(box: VirtualBoxFacts, kind: HostKind) -> Iterator[Finding]:
    """Tell whether VirtualBox's module is loaded; on macOS there is none."""
    if not kind.is_linux or box.version is None:  # the module comes with the rest
        return
    if box.has_device:
        yield ok("vboxdrv", "loaded")
        return
    build = "sudo /sbin/vboxconfig (Ubuntu's own: sudo apt-get install virtualbox-dkms)"
    yield error("vboxdrv", "not loaded: no /dev/vboxdrv", f"sudo modprobe vboxdrv, or {build}")


def judge_virtualisation(processor: Processor, kind: HostKind) -> Iterator[Finding]:
    """Tell whether the processor has VT-x or AMD-V, and shows it."""
    if not kind.is_linux or kind.is_arm:
        return
    if processor.has_virtualisation:
        yield ok("virtualisation", "the processor has it")
    elif processor.is_virtual:
        mend = "switch on nested virtualisation on the host of this machine"
        yield error("virtualisation", "this is a virtual machine without vmx or svm", mend)
    else:
        mend = "switch on VT-x or AMD-V in the firmware's setup"
        yield error("virtualisation", "no vmx or svm in /proc/cpuinfo", mend)


def judge_kvm_conflict(
    box: VirtualBoxFacts, processor: Processor, kernel: Version
) -> Iterator[Finding]:
    """Tell whether KVM holds what VirtualBox needs."""
    module, at_load = processor.kvm_module, processor.kvm_at_load
    if module is None or at_load is None or kernel < KVM_HOLDS_SINCE:
        return
    release = f"{module} on Linux {shown(kernel[:2])}"
    can_lend = kernel >= KVM_LENDS_SINCE
    if can_lend and (box.version or ()) >= INSISTS_SINCE:
        yield _judge_lent(release, module, at_load=at_load)
    elif not at_load:
        yield ok("KVM", f"{release} leaves VT-x alone until a KVM guest runs")
    elif can_lend and (box.version or ()) >= BORROWS_SINCE:
        found = f"{release} holds VT-x; this VirtualBox borrows it, not on every host"
        yield warning("KVM", found, f"if a machine won't start: {_unloading(module)}")
    else:
        yield error("KVM", f"{release} holds VT-x from its loading on", _unloading(module))


def judge_hostonly_range(network: IPv4Network, box: VirtualBoxFacts, kind: HostKind) -> Finding:
    """Tell whether VirtualBox gives host-only networks such addresses."""
    version = box.version or UNRESTRICTED_ON_MAC_SINCE
    is_free_mac = kind.is_mac and version >= UNRESTRICTED_ON_MAC_SINCE
    if is_free_mac or version < RESTRICTING_SINCE:
        return ok("host-only range", f"this VirtualBox allows {network}")
    allowed = allowed_ranges(box.networks_conf)
    if any(network.subnet_of(each) for each in allowed):
        return ok("host-only range", f"{network} is allowed")
    found = f"VirtualBox allows {', '.join(map(str, allowed)) or 'none'}, not {network}"
    return error("host-only range", found, _allowing(network, box))


def allowed_ranges(networks_conf: str | None) -> list[IPv4Network]:
    """Read networks.conf, whose lines are `* RANGE …`; once it exists, its ranges alone count."""
    if networks_conf is None:
        return [DEFAULT_RANGE]
    lines = [line.strip() for line in networks_conf.splitlines()]
    words = [word for line in lines if line.startswith("*") for word in line[1:].split()]
    return [each for each in map(_range, words) if each]


def _range(word: str) -> IPv4Network | None:
    try:
        return IPv4Network(word, strict=False)
    except (AddressValueError, NetmaskValueError):  # IPv6, or nothing at all
        return None


def _allowing(network: IPv4Network, box: VirtualBoxFacts) -> str:
    """Once the file exists, the default range counts no longer, so it goes in with the new one."""
    ranges = f"{DEFAULT_RANGE} {network}" if box.networks_conf is None else f"{network}"
    return f"sudo mkdir -p /etc/vbox; echo '* {ranges}' | sudo tee -a {NETWORKS_CONF}"


def _driven_by(vagrant: VagrantFacts) -> frozenset[Version]:
    version = vagrant.version or ()
    known = frozenset(series for series, first in FIRST_VAGRANT.items() if version >= first)
    return vagrant.drives or known


def _judge_lent(release: str, module: str, *, at_load: bool) -> Finding:
    if at_load:
        return ok("KVM", f"{release} lends VirtualBox what it holds")
    reload = f"sudo modprobe -r {module} kvm; sudo modprobe {module}"
    mend = f"take enable_virt_at_load=0 out of /etc/modprobe.d (or the command line); {reload}"
    return error("KVM", f"{release} was told enable_virt_at_load=0", mend)


def _unloading(module: str) -> str:
    return f"sudo modprobe -r {module} (no KVM guest may run); for good: {KVM_OPTION}"


def _installing(kind: HostKind, series: Version) -> str:
    name = shown(series)
    if kind.is_mac:
        is_newest = series == max(FIRST_VAGRANT)
        way = "brew install --cask virtualbox" if is_newest else OLD_PACKAGES
    else:
        oracles = f"add the repository of {PACKAGES}, then sudo apt-get install virtualbox-{name}"
        way = f"Ubuntu: sudo apt-get install virtualbox; Debian: {oracles}"
    return f"install VirtualBox {name} or earlier ({way})"
