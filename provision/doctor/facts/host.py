"""The host itself: its kind, its Python, its locale, its memory, and the room on its disks."""

import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from provision.doctor.facts.asking import ask
from provision.doctor.facts.files import nearest_existing, text_of

MEMINFO = Path("/proc/meminfo")
ARM = {"aarch64", "arm64"}
X86 = {"x86_64", "amd64"}


@dataclass(frozen=True)
class HostKind:
    """The operating system, as platform.system() names it, and the processor."""

    system: str
    processor: str
    kernel: str

    @property
    def is_linux(self) -> bool:
        """Tell whether this is Linux."""
        return self.system == "Linux"

    @property
    def is_mac(self) -> bool:
        """Tell whether this is macOS."""
        return self.system == "Darwin"

    @property
    def is_x86(self) -> bool:
        """Tell whether the processor is one of Intel's or AMD's kind."""
        return self.processor in X86

    @property
    def is_arm(self) -> bool:
        """Tell whether the processor is an ARM one of 64 bits."""
        return self.processor in ARM


@dataclass(frozen=True)
class DiskRoom:
    """The free room of one file system, and the folders that will lie on it."""

    folders: tuple[Path, ...]
    free_gb: float
    needed_gb: float


def host_kind() -> HostKind:
    """Tell what this host is."""
    return HostKind(platform.system(), platform.machine().lower(), platform.release())


def python_version() -> tuple[int, ...]:
    """Return the version of the Python that runs this."""
    return tuple(sys.version_info[:3])


def character_map() -> str | None:
    """Return the encoding that programs started from here use, None if locale(1) can't tell."""
    answer = ask(["locale", "charmap"])
    return answer.out.strip() if answer.succeeded else None


def free_memory_mb(meminfo: Path = MEMINFO) -> int | None:
    """Return how much memory new programs could have without swapping, as Linux estimates it."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text_of(meminfo) or "", re.MULTILINE)
    return int(found[1]) // 1024 if found else None


def disk_rooms(needs: dict[Path, float]) -> list[DiskRoom]:
    """Add up, for each file system, how many GB the folders on it need."""
    by_device: dict[int, list[Path]] = {}
    for folder in needs:
        by_device.setdefault(nearest_existing(folder).stat().st_dev, []).append(folder)
    return [_room(folders, needs) for folders in by_device.values()]


def _room(folders: list[Path], needs: dict[Path, float]) -> DiskRoom:
    free = shutil.disk_usage(nearest_existing(folders[0])).free
    return DiskRoom(tuple(folders), free / 1e9, sum(needs[folder] for folder in folders))
