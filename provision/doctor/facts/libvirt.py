"""libvirt and QEMU as they are installed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from provision.doctor.facts.asking import Answer, ask
from provision.doctor.facts.host import HostKind
from provision.doctor.facts.vagrant import asks_for_emulation, has_plugin
from provision.doctor.versions import Version, parse_version

PLUGIN = "vagrant-libvirt"
DAEMONS = (Path("/usr/sbin/libvirtd"), Path("/usr/sbin/virtqemud"))
BOOTED_BY_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)


@dataclass(frozen=True)
class LibvirtFacts:
    """`has_plugin` is None where Vagrant won't say; `daemon` is how `virsh version` ended.

    `has_daemon` tells whether there is one to start: virsh is in a package of its own.
    `is_emulating` tells that the user chose the driver `qemu`, which needs no KVM.
    """

    has_plugin: bool | None
    daemon: Answer
    has_daemon: bool
    qemu: Version | None
    is_emulating: bool
    has_systemd: bool


def libvirt(kind: HostKind, folder: Path) -> LibvirtFacts:
    """Ask Vagrant, libvirt's daemon and QEMU; `folder` has the project's Vagrantfile."""
    return LibvirtFacts(
        has_plugin=has_plugin(PLUGIN),
        daemon=ask(["virsh", "-c", "qemu:///system", "version"]),
        has_daemon=any(daemon.exists() for daemon in DAEMONS),
        qemu=_qemu_version(kind),
        is_emulating=asks_for_emulation(folder),
        has_systemd=BOOTED_BY_SYSTEMD.is_dir(),
    )


def _qemu_version(kind: HostKind) -> Version | None:
    name = f"qemu-system-{'aarch64' if kind.is_arm else 'x86_64'}"
    programs = [name, "/usr/libexec/qemu-kvm", "/usr/bin/kvm"]  # Red Hat's and Debian's other names
    program = next((each for each in programs if shutil.which(each)), name)
    answer = ask([program, "--version"])
    return parse_version(answer.out) if answer.succeeded else None
