"""Which way of starting units fits this host."""

from pathlib import Path

from provision.lab.cgroup import unified_root
from provision.lab.plain_units import PlainLauncher
from provision.lab.systemd_units import SystemdLauncher
from provision.lab.units import Launcher

SYSTEMD_MARK = Path("/run/systemd/system")  # sd_booted(3): there exactly where systemd is process 1


def launcher_for(lab: str) -> Launcher:
    """Pick the launcher that fits this host."""
    if SYSTEMD_MARK.is_dir():
        return SystemdLauncher(lab, unified_root())
    return PlainLauncher(lab, unified_root())
