"""What of the host system containers rest on: programs, namespaces, overlays, cgroups."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from provision.doctor.facts.asking import Answer, ask
from provision.doctor.facts.files import nearest_existing, text_of
from provision.errors import QuartetError
from provision.lab.cgroup import unified_root
from provision.lab.host import NEEDED
from provision.lab.mounts import mount_points

FILESYSTEMS = Path("/proc/filesystems")
MOUNTINFO = Path("/proc/self/mountinfo")
KERNEL_MODULES = Path("/lib/modules")


@dataclass(frozen=True)
class ContainerHost:
    """What a host has for system containers; `cgroup_next_step` is set where cgroup v2 is absent.

    `has_modules` tells whether the running kernel's modules lie on the disk.
    `nftables` is what nft(8) said when it was asked for the rules, None where it can't be asked.
    """

    is_root: bool
    has_apt: bool
    missing_packages: tuple[str, ...]
    namespaces: Answer
    has_overlay: bool
    has_modules: bool
    state_file_system: str
    cgroup_controllers: frozenset[str]
    cgroup_next_step: str
    nftables: Answer | None


def container_host(state: Path, kernel: str) -> ContainerHost:
    """Look at all of it; `state` is where machines will lie, `kernel` its release."""
    controllers, next_step = _cgroup()
    return ContainerHost(
        is_root=os.geteuid() == 0,
        has_apt=shutil.which("apt-get") is not None,
        missing_packages=_missing_packages(),
        namespaces=ask(["unshare", "--net", "--mount", "true"]),
        has_overlay=_has_overlay(kernel),
        has_modules=(KERNEL_MODULES / kernel).is_dir(),
        state_file_system=_file_system(nearest_existing(state).resolve()),
        cgroup_controllers=controllers,
        cgroup_next_step=next_step,
        nftables=ask(["nft", "list", "tables"]) if shutil.which("nft") else None,
    )


def file_system_at(point: Path, mountinfo: str) -> str:
    """Return the type of what is mounted last at exactly this place (proc_pid_mountinfo(5))."""
    types = [
        after.split()[0]
        for before, after in (line.split(" - ") for line in mountinfo.splitlines())
        if before.split()[4] == str(point)
    ]
    return types[-1] if types else "unknown"


def _missing_packages() -> tuple[str, ...]:
    return tuple(
        sorted(package for program, package in NEEDED.items() if not shutil.which(program))
    )


def _has_overlay(kernel: str) -> bool:
    if "\toverlay\n" in (text_of(FILESYSTEMS) or ""):
        return True
    return any((KERNEL_MODULES / kernel).glob("kernel/fs/overlayfs/overlay.ko*"))


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds a folder."""
    points = set(mount_points(Path("/")))
    point = next((place for place in (folder, *folder.parents) if place in points), Path("/"))
    return file_system_at(point, text_of(MOUNTINFO) or "")


def _cgroup() -> tuple[frozenset[str], str]:
    try:
        root = unified_root()
    except QuartetError as error:
        return frozenset(), error.next_step
    return frozenset((text_of(root / "cgroup.controllers") or "").split()), ""
