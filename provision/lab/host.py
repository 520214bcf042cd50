"""What the lab needs of its host: root, room on the disk, and a handful of packages."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.command import run, succeeds

NEEDED = {  # program -> the Debian package that has it
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "apt-cacher-ng": "apt-cacher-ng",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "nsenter": "util-linux",
}
UNATTENDED = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
CACHE = "apt-cacher-ng"


def check_root() -> None:
    """Raise QuartetError unless we may mount, make namespaces and start machines."""
    if os.geteuid() != 0:
        raise QuartetError("this host", "nspawn machines need root", "sudo ./lab up")


@contextmanager
def plain_umask() -> Iterator[None]:
    """Write files that machines can read, whatever umask the person at the keyboard has."""
    former = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(former)


def check_room(folder: Path, needed_gb: float) -> None:
    """Raise QuartetError if the disk that holds `folder` has too little room left."""
    folder.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise QuartetError(
            str(folder),
            f"{free_gb:.1f} GB free, {needed_gb:.1f} GB needed",
            "make room on that disk",
        )


def install_missing(say: Callable[[str], None]) -> None:
    """Install the programs that this host lacks, after saying which."""
    missing = sorted(package for program, package in NEEDED.items() if not shutil.which(program))
    if missing:
        say(f"installing on this host: {', '.join(missing)}")
        install(missing)


def install(packages: list[str]) -> None:
    """Install packages without a question; a service that came along doesn't stay behind."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not succeeds(["apt-get", "install", "-s", *packages]):
        run(["apt-get", "update"])
    run(command, env=UNATTENDED)
    if CACHE in packages:
        run(["update-rc.d", CACHE, "disable"])
        run(["invoke-rc.d", CACHE, "stop"])
