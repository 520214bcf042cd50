"""Whether libvirt can run machines here, and Vagrant can drive it."""

from collections.abc import Iterator

from provision.doctor.facts.host import HostKind
from provision.doctor.facts.libvirt import LibvirtFacts
from provision.doctor.facts.processor import KvmState, Processor
from provision.doctor.finding import Finding, error, ok, warning
from provision.doctor.versions import shown

# QEMU 7.2 without KVM corrupts the state of its guests around cmpxchg16b: their kernel panics.
# QEMU 10 doesn't; what lies between was not tried.
EMULATES_WELL_SINCE = (10,)
EMULATION = (
    """echo 'Vagrant.configure("2") { |c| c.vm.provider("libvirt") { |l| l.driver = "qemu"; """
    """l.cpu_mode = "custom"; l.cpu_model = "qemu64" } }' >> ~/.vagrant.d/Vagrantfile"""
)
PATIENCE = "`patience: 6` in topology.yml"
BACKPORTS = (
    "on Debian 12: add bookworm-backports (https://backports.debian.org/Instructions/), "
    "then sudo apt-get install -t bookworm-backports qemu-system-x86"
)


def judge_libvirt_system(kind: HostKind) -> Finding:
    """Tell whether the kernel is the one that has KVM."""
    if kind.is_linux:
        return ok("system", f"Linux {kind.kernel}")
    return error(
        "system", f"{kind.system}: libvirt needs Linux", "provider: virtualbox in topology.yml"
    )


def judge_libvirt(facts: LibvirtFacts, processor: Processor, kind: HostKind) -> Iterator[Finding]:
    """Judge everything from Vagrant's plugin down to the processor."""
    yield _judge_plugin(facts)
    yield _judge_daemon(facts)
    yield _judge_kvm(processor, kind, is_emulating=facts.is_emulating)
    yield _judge_qemu(facts, processor.kvm, kind)


def _judge_plugin(facts: LibvirtFacts) -> Finding:
    if facts.has_plugin:
        return ok("vagrant-libvirt", "installed")
    if facts.has_plugin is None:
        found = "not told: Vagrant can't list its plugins"
        return warning("vagrant-libvirt", found, "vagrant plugin list, which says why")
    mend = "sudo apt-get install vagrant-libvirt, or: vagrant plugin install vagrant-libvirt"
    return error("vagrant-libvirt", "Vagrant doesn't have this plugin", mend)


def _judge_daemon(facts: LibvirtFacts) -> Finding:
    answer = facts.daemon
    if answer.succeeded:
        return ok("libvirtd", "answers at qemu:///system")
    install = "sudo apt-get install libvirt-daemon-system libvirt-clients"
    if answer.is_missing:
        return error("libvirtd", "not installed: no virsh", install)
    if not facts.has_daemon:
        return error("libvirtd", "not installed: virsh alone is here", install)
    said = (answer.err.strip().splitlines() or ["no reason given"])[-1].removeprefix("error: ")
    by_hand = "sudo libvirtd -d; sudo virtlogd -d"
    start = "sudo systemctl start libvirtd" if facts.has_systemd else by_hand
    join = "sudo usermod -aG libvirt $USER, then log in again"
    return error("libvirtd", f"doesn't answer: {said}", join if "denied" in said else start)


def _judge_kvm(processor: Processor, kind: HostKind, *, is_emulating: bool) -> Finding:
    state, mend = processor.kvm, _kvm_mend(processor, kind)
    if state is KvmState.USABLE:
        return ok("KVM", "usable")
    reason = {
        KvmState.ABSENT: "no /dev/kvm",
        KvmState.FORBIDDEN: "/dev/kvm can't be opened",
        KvmState.NO_HARDWARE: "/dev/kvm has no hardware virtualisation behind it",
    }[state]
    if is_emulating:
        found = f"{reason}: emulated, 10 to 20 times slower"
        return warning("KVM", found, f"{mend}; until then set {PATIENCE}")
    if kind.is_x86:
        mend += f"; or emulate, 10 to 20 times slower, with {PATIENCE}: {EMULATION}"
    return error("KVM", reason, mend)


def _kvm_mend(processor: Processor, kind: HostKind) -> str:
    if processor.kvm is KvmState.FORBIDDEN:
        return "sudo usermod -aG kvm $USER, then log in again"
    if processor.kvm is KvmState.NO_HARDWARE or kind.is_arm:  # on ARM, KVM is part of the kernel
        return "switch on nested virtualisation on the host of this machine"
    module = processor.vendors_module or "kvm_intel (Intel) or kvm_amd (AMD)"
    return f"switch on VT-x or AMD-V (here or nested), then sudo modprobe {module}"


def _judge_qemu(facts: LibvirtFacts, kvm: KvmState, kind: HostKind) -> Finding:
    if facts.qemu is None:
        package = "qemu-system-arm qemu-efi-aarch64" if kind.is_arm else "qemu-system-x86"
        return error("QEMU", "not installed", f"sudo apt-get install {package} qemu-utils")
    is_emulated = facts.is_emulating or kvm is not KvmState.USABLE
    if kind.is_x86 and is_emulated and facts.qemu < EMULATES_WELL_SINCE:
        return error("QEMU", f"{shown(facts.qemu)} corrupts emulated guests", BACKPORTS)
    return ok("QEMU", shown(facts.qemu))
