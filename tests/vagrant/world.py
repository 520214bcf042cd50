"""A world of its own for libvirt: mounts, network and processes that end with the run.

The host's libvirt, D-Bus, firewall and cgroups can't be reached from it, so that nothing in it can
change them; and when its first process ends, the kernel ends the rest, whatever went wrong.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provision.lab.command import run
from tests.vagrant.places import Scratch

ENTER = (
    *("setpriv", "--pdeathsig=KILL"),
    *("unshare", "--mount", "--propagation=private", "--net", "--pid", "--mount-proc"),
    *("--fork", "--kill-child"),
    *("sh", "-c", '"$@"; exit $?', "sh"),  # a first process that buries what others leave
)
ACCOUNT = "libvirt-qemu"
OWN_FOLDERS = {
    "etc": Path("/etc/libvirt"),
    "lib": Path("/var/lib/libvirt"),
    "cache": Path("/var/cache/libvirt"),
    "log": Path("/var/log/libvirt"),
    "quartet": Path("/var/lib/quartet"),  # labs of containers, whose names may be the same
}


def inside(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours in a new world."""
    return [*ENTER, sys.executable, "-m", module, *arguments]


@contextmanager
def mount_points() -> Iterator[None]:
    """Let these folders exist on the host; those that were not there go again, empty."""
    made = [folder for folder in OWN_FOLDERS.values() if not folder.exists()]
    for folder in made:
        folder.mkdir()
    try:
        yield
    finally:
        for folder in made:
            with suppress(OSError):  # somebody else has put something there by now
                folder.rmdir()


def furnish(scratch: Scratch) -> None:
    """Give this world folders and a network of its own; to be called inside it."""
    run(["umount", "--recursive", "--lazy", "/sys"])  # the host's cards, and its cgroups
    run(["mount", "-t", "sysfs", "sysfs", "/sys"])
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])  # D-Bus, udev
    for name, folder in OWN_FOLDERS.items():
        source = scratch.libvirt / name
        source.mkdir(parents=True, exist_ok=True)
        _bind(source, folder)
    _add_account(scratch, Path("/etc/passwd"), f"{ACCOUNT}:x:64055:64055::/:/usr/sbin/nologin")
    _add_account(scratch, Path("/etc/group"), f"{ACCOUNT}:x:64055:")
    run(["ip", "link", "set", "lo", "up"])


def _add_account(scratch: Scratch, file: Path, line: str) -> None:
    """Add the account that Debian's libvirt looks up at its start, whatever its settings say."""
    text = file.read_text()
    if f"{ACCOUNT}:" not in text:
        source = scratch.libvirt / file.name
        source.write_text(f"{text}{line}\n")
        _bind(source, file)


def _bind(source: Path, target: Path) -> None:
    run(["mount", "--bind", str(source), str(target)])
