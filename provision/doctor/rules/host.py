"""What every provider needs of the host: Python, a locale, a clock, memory and room."""

from collections.abc import Sequence

from provision.doctor.facts.clock import Clock
from provision.doctor.facts.host import DiskRoom, HostKind
from provision.doctor.finding import Finding, error, ok, warning
from provision.doctor.versions import Version, shown

OLDEST_PYTHON = (3, 11)
MOST_SKEW_S = 60  # below it, nothing that is signed or expires is misjudged
TIGHT = 1.25  # times what is needed


def judge_python(version: Version) -> Finding:
    """Tell whether it is one that the code is written for."""
    if version < OLDEST_PYTHON:
        wanted = shown(OLDEST_PYTHON)
        return error("Python", shown(version), f"install Python {wanted} or later, then ./lab up")
    return ok("Python", shown(version))


def judge_locale(charmap: str | None, kind: HostKind) -> Finding:
    """Tell whether programs take text for UTF-8; Vagrant's Ruby and pip stumble otherwise."""
    if charmap is None:
        return warning("locale", "not told: no locale(1) here", "export LC_ALL=C.UTF-8")
    if charmap.upper() in {"UTF-8", "UTF8"}:
        return ok("locale", charmap)
    name = "en_US.UTF-8" if kind.is_mac else "C.UTF-8"
    return warning("locale", f"{charmap}, not UTF-8", f"export LC_ALL={name}")


def judge_clock(clock: Clock) -> Finding:
    """Tell whether it is right: certificates and signed package lists are judged by it."""
    if clock.offset_s is None:
        return warning("clock", "nobody here could tell whether it is right", "compare: date -u")
    if abs(clock.offset_s) <= MOST_SKEW_S:
        return ok("clock", f"right, says {clock.witness}")
    direction = "ahead" if clock.offset_s > 0 else "behind"
    found = f"{abs(clock.offset_s):.0f} s {direction}, says {clock.witness}"
    return warning("clock", found, "sudo timedatectl set-ntp true, or sudo chronyd -q")


def judge_shared_memory(free_mb: int | None, wanted_mb: int, machines: int) -> Finding:
    """Tell whether it suffices for containers, which share it and hold only what they use.

    That is about half of what topology.yml allows them; the rest is for caching their files.
    """
    if free_mb is None:
        return _untold_memory(wanted_mb)
    found = f"{_gb(free_mb)} free, {_gb(wanted_mb)} wanted for {machines} machines"
    if free_mb >= wanted_mb:
        return ok("memory", found)
    severe = error if free_mb < wanted_mb / 2 else warning
    return severe("memory", found, "close what uses most of it: ps aux --sort=-rss | head")


def judge_reserved_memory(free_mb: int | None, wanted_mb: int, *, are_made: bool) -> Finding:
    """Tell whether it suffices for virtual machines: each comes to hold all it was given."""
    if free_mb is None:
        return _untold_memory(wanted_mb)
    found = f"{_gb(free_mb)} free, the machines take {_gb(wanted_mb)}"
    if free_mb >= wanted_mb:
        return ok("memory", found)
    if are_made:
        return warning("memory", f"{found} (if they run now, they have it)", "./lab status")
    return error("memory", found, "close programs, or lower memory_mb in topology.yml")


def judge_rooms(rooms: Sequence[DiskRoom]) -> list[Finding]:
    """Tell for each file system whether it has room for what will lie on it."""
    return [_judge_room(room) for room in rooms]


def _judge_room(room: DiskRoom) -> Finding:
    folders = ", ".join(map(str, room.folders))
    found = f"{room.free_gb:.1f} GB free for {folders}, {room.needed_gb:.1f} GB needed"
    if room.free_gb >= room.needed_gb * TIGHT:
        return ok("disk", found)
    severe = error if room.free_gb < room.needed_gb else warning
    return severe("disk", found, "make room on that disk; `df -h` shows which it is")


def _untold_memory(wanted_mb: int) -> Finding:
    found = f"not told: no /proc/meminfo here; {_gb(wanted_mb)} wanted"
    return warning("memory", found, "look at the system's own monitor")


def _gb(megabytes: int) -> str:
    return f"{megabytes / 1024:.1f} GB"
