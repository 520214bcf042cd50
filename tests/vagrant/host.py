"""What the rig needs of its host, installed after saying so.

libvirt's daemons are enough: the package that starts them with the host isn't needed. QEMU 7.2, as
Debian 12 has it, corrupts what emulated guests keep in memory, so a newer one comes from backports.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from provision.lab.command import run, succeeds
from provision.lab.host import UNATTENDED
from provision.lab.mirror import host_archive

Say = Callable[[str], None]

NEEDED = {
    "vagrant": "vagrant",
    "libvirtd": "libvirt-daemon",
    "virsh": "libvirt-clients",
    "dnsmasq": "dnsmasq-base",
    "iptables": "iptables",
    "extlinux": "extlinux",
    "mmdebstrap": "mmdebstrap",
    "apt-cacher-ng": "apt-cacher-ng",
    "git": "git",
}
PLUGIN = "vagrant-libvirt"
DRIVER = "libvirt-daemon-driver-qemu"
EMULATOR = ("qemu-system-x86", "qemu-utils")
OLDEST_QEMU = 10
BACKPORTS = Path("/etc/apt/sources.list.d/quartet-backports.sources")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def prepare(say: Say) -> None:
    """Install what is missing."""
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    missing += [package for package in (PLUGIN, DRIVER) if not _is_installed(package)]
    if missing:
        _install(missing, say)
    if _qemu_version() < OLDEST_QEMU:
        _ensure_backports(say)
        _install([f"--target-release={_codename()}-backports", *EMULATOR], say)


def _install(arguments: list[str], say: Say) -> None:
    say(f"installing on this host: {' '.join(arguments)}")
    install = ["apt-get", "install", "-y", "--no-install-recommends"]
    if not succeeds([*install, "--simulate", *arguments]):
        run(["apt-get", "update"])
    run([*install, *arguments], env=UNATTENDED)


def _is_installed(package: str) -> bool:
    return succeeds(["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", package])


def _qemu_version() -> int:
    if not shutil.which("qemu-system-x86_64") or not shutil.which("qemu-img"):
        return 0
    found = re.search(r"version (\d+)", run(["qemu-system-x86_64", "--version"]))
    return int(found[1]) if found else 0


def _ensure_backports(say: Say) -> None:
    """Add the backports of this host's own mirror, unless apt knows of them or has no need."""
    if succeeds(["apt-get", "install", "--simulate", f"-t{_codename()}-backports", "qemu-utils"]):
        return
    say(f"adding {BACKPORTS} on this host, for a QEMU that emulates without faults")
    fields = {
        "Types": "deb",
        "URIs": host_archive(say).uri,
        "Suites": f"{_codename()}-backports",
        "Components": "main",
        "Signed-By": KEYRING,
    }
    BACKPORTS.write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    run(["apt-get", "update"])


def _codename() -> str:
    text = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)$", text, re.MULTILINE)
    return found[1] if found else "sid"
