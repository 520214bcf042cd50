"""Hosts to be judged: each a good one, of which a test spoils one part."""

from provision.doctor.facts.asking import Answer
from provision.doctor.facts.containers import ContainerHost
from provision.doctor.facts.host import HostKind
from provision.doctor.facts.libvirt import LibvirtFacts
from provision.doctor.facts.processor import KvmState, Processor
from provision.doctor.facts.vagrant import VagrantFacts
from provision.doctor.facts.virtualbox import VirtualBoxFacts

LINUX = HostKind("Linux", "x86_64", "6.1.0-30-amd64")
ARM_LINUX = HostKind("Linux", "aarch64", "6.1.0-30-arm64")
MAC = HostKind("Darwin", "arm64", "24.1.0")

BARE_METAL = Processor(
    has_virtualisation=True,
    is_virtual=False,
    kvm_module="kvm_intel",
    vendors_module="kvm_intel",
    kvm_at_load=True,
    kvm=KvmState.USABLE,
)
VAGRANT = VagrantFacts((2, 4, 9))
VIRTUALBOX = VirtualBoxFacts((7, 1, 4), has_device=True, networks_conf=None)
LIBVIRT = LibvirtFacts(
    has_plugin=True,
    daemon=Answer(0),
    has_daemon=True,
    qemu=(7, 2, 15),
    is_emulating=False,
    has_systemd=True,
)
CONTAINERS = ContainerHost(
    is_root=True,
    has_apt=True,
    missing_packages=(),
    namespaces=Answer(0),
    has_overlay=True,
    has_modules=True,
    state_file_system="ext4",
    cgroup_controllers=frozenset({"cpu", "memory", "pids"}),
    cgroup_next_step="",
    nftables=Answer(0),
)
