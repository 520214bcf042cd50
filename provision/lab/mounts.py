"""Mounts as the kernel lists them: a machine's root is an overlay over an image."""

import re
from functools import partial
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.command import CommandError, run, succeeds
from provision.polling import is_reached

MOUNTINFO = Path("/proc/self/mountinfo")
UNMOUNT_S = 5.0


def mount_points(below: Path) -> list[Path]:
    """List what is mounted at or below a path, innermost first."""
    points = [Path(_unescape(line.split()[4])) for line in MOUNTINFO.read_text().splitlines()]
    return [point for point in reversed(points) if point.is_relative_to(below)]


def is_mounted(point: Path) -> bool:
    """Tell whether something is mounted at exactly this path."""
    return point in mount_points(point)


def mount_overlay(point: Path, *, lower: Path, upper: Path, work: Path) -> None:
    """Mount `upper` over the read-only `lower`."""
    # Without redirect_dir a folder of the image can't be renamed, as CLONE does with its redo logs.
    options = f"lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=on"
    try:
        run(["mount", "-t", "overlay", "quartet", "-o", options, str(point)])
    except CommandError as error:
        raise QuartetError(
            str(point),
            f"can't mount an overlay: {error.what}",
            "keep /var/lib/quartet on an ordinary disk file system (ext4, xfs, btrfs)",
        ) from error


def unmount_below(path: Path) -> None:
    """Unmount everything at or below a path, whoever has a file open in it."""
    for point in mount_points(path):
        is_free = is_reached(partial(succeeds, ["umount", str(point)]), within_s=UNMOUNT_S)
        if not is_free:
            run(["umount", "--lazy", str(point)])


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
