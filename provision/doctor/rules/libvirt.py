"""Whether libvirt can run machines here, and Vagrant can drive it."""

from collections.abc import Iterator

from provision.doctor.facts.asking import Answer
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
KVM_MENDS = {
    KvmState.ABSENT: "switch on VT-x or AMD-V (here or nested), then sudo modprobe kvm_intel",
    KvmState.FORBIDDEN: "sudo usermod -aG kvm $USER, then log in again",
    KvmState.NO_HARDWARE: "switch on nested virtualisation on the host of this machine",
}


def judge_libvirt_system(kind: HostKind) -> Finding:
    """Tell whether the kernel is the one that has KVM."""
    if kind.is_linux:
        return ok("system", f"Linux {kind.kernel}")
    return error(
        "system", f"{kind.system}: libvirt needs Linux", "provider: virtualbox in topology.yml"
    )


def judge_libvirt(facts: LibvirtFacts, processor: Processor) -> Iterator[Finding]:
    """Judge everything from Vagrant's plugin down to the processor."""
    yield _judge_plugin(facts)
    yield _judge_daemon(facts.daemon, has_systemd=facts.has_systemd)
    yield _judge_kvm(processor.kvm, is_emulating=facts.is_emulating)
    yield _judge_qemu(facts, processor.kvm)


def _judge_plugin(facts: LibvirtFacts) -> Finding:
    if facts.has_plugin:
        return ok("vagrant-libvirt", "installed")
    if facts.has_plugin is None:
        found = "not told: Vagrant can't list its plugins"
        return warning("vagrant-libvirt", found, "vagrant plugin list, which says why")
    mend = "sudo apt-get install vagrant-libvirt, or: vagrant plugin install vagrant-libvirt"
    return error("vagrant-libvirt", "Vagrant doesn't have this plugin", mend)


def _judge_daemon(answer: Answer, *, has_systemd: bool) -> Finding:
    if answer.succeeded:
        return ok("libvirtd", "answers at qemu:///system")
    if answer.is_missing:
        mend = "sudo apt-get install libvirt-daemon-system libvirt-clients"
        return error("libvirtd", "not installed: no virsh", mend)
    said = (answer.err.strip().splitlines() or ["no reason given"])[-1].removeprefix("error: ")
    start = "sudo systemctl start libvirtd" if has_systemd else "sudo libvirtd -d; sudo virtlogd -d"
    join = "sudo usermod -aG libvirt $USER, then log in again"
    return error("libvirtd", f"doesn't answer: {said}", join if "denied" in said else start)


def _judge_kvm(state: KvmState, *, is_emulating: bool) -> Finding:
    if state is KvmState.USABLE:
        return ok("KVM", "usable")
    reason = {
        KvmState.ABSENT: "no /dev/kvm",
        KvmState.FORBIDDEN: "/dev/kvm can't be opened",
        KvmState.NO_HARDWARE: "/dev/kvm has no hardware virtualisation behind it",
    }[state]
    if is_emulating:
        mend = f"{KVM_MENDS[state]}; until then set {PATIENCE}"
        return warning("KVM", f"{reason}: emulated, 10 to 20 times slower", mend)
    mend = f"{KVM_MENDS[state]}; or emulate, 10 to 20 times slower, with {PATIENCE}: {EMULATION}"
    return error("KVM", reason, mend)


def _judge_qemu(facts: LibvirtFacts, kvm: KvmState) -> Finding:
    if facts.qemu is None:
        return error("QEMU", "not installed", "sudo apt-get install qemu-system-x86 qemu-utils")
    is_emulated = facts.is_emulating or kvm is not KvmState.USABLE
    if is_emulated and facts.qemu < EMULATES_WELL_SINCE:
        found = f"{shown(facts.qemu)} corrupts emulated guests"
        mend = "sudo apt-get install -t bookworm-backports qemu-system-x86 (Debian 12)"
        return error("QEMU", found, mend)
    return ok("QEMU", shown(facts.qemu))
