"""What of hardware virtualisation this host offers, and who holds it."""

import fcntl
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from provision.doctor.facts.files import text_of
from provision.doctor.facts.host import HostKind

CPUINFO = Path("/proc/cpuinfo")
MODULES = Path("/sys/module")
KVM = Path("/dev/kvm")
KVM_GET_API_VERSION, KVM_API_VERSION = 0xAE00, 12  # linux/kvm.h; the version never changes again
VENDORS_MODULES = {"GenuineIntel": "kvm_intel", "AuthenticAMD": "kvm_amd"}


class KvmState(StrEnum):
    """Whether QEMU can use KVM here."""

    USABLE = "usable"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    NO_HARDWARE = "no hardware"  # /dev/kvm of a module that runs guests made for it, such as pvm


@dataclass(frozen=True)
class Processor:
    """The processor's own flags, and the KVM modules in the kernel.

    `kvm_module` is the one that is loaded, `vendors_module` the one for this make of processor;
    `kvm_at_load` is KVM's parameter enable_virt_at_load. Each is None where there is none.
    """

    has_virtualisation: bool
    is_virtual: bool
    kvm_module: str | None
    vendors_module: str | None
    kvm_at_load: bool | None
    kvm: KvmState


def processor(kind: HostKind) -> Processor:
    """Look into /proc, /sys and /dev, which are empty on macOS."""
    cpuinfo = text_of(CPUINFO) or ""
    flags = flags_of(cpuinfo)
    module = next((name for name in ("kvm_intel", "kvm_amd") if (MODULES / name).is_dir()), None)
    at_load = text_of(MODULES / "kvm/parameters/enable_virt_at_load")
    return Processor(
        has_virtualisation=bool({"vmx", "svm"} & flags),
        is_virtual="hypervisor" in flags,
        kvm_module=module,
        vendors_module=vendors_module_of(cpuinfo),
        kvm_at_load=None if at_load is None else at_load.strip() in {"Y", "1"},
        kvm=_kvm_state(has_hardware=module is not None or not kind.is_x86),
    )


def flags_of(cpuinfo: str) -> set[str]:
    """Return the flags of the first processor in /proc/cpuinfo."""
    found = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    return set(found[1].split()) if found else set()


def vendors_module_of(cpuinfo: str) -> str | None:
    """Return the KVM module for the processors of this vendor, None for one that we don't know."""
    found = re.search(r"^vendor_id\s*:\s*(\S+)$", cpuinfo, re.MULTILINE)
    return VENDORS_MODULES.get(found[1]) if found else None


def _kvm_state(*, has_hardware: bool) -> KvmState:
    if not KVM.exists():
        return KvmState.ABSENT
    if not has_hardware:
        return KvmState.NO_HARDWARE
    return KvmState.USABLE if _kvm_answers() else KvmState.FORBIDDEN


def _kvm_answers() -> bool:
    try:
        descriptor = os.open(KVM, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return fcntl.ioctl(descriptor, KVM_GET_API_VERSION) == KVM_API_VERSION
    except OSError:
        return False
    finally:
        os.close(descriptor)
