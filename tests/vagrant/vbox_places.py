"""Where the VirtualBox check keeps things, inside and outside the root file system."""

from pathlib import Path

from tests.vagrant.places import BOXES, Scratch

FORMAT = 1  # raise it when the root file system is built in another way
SYSTEM = BOXES / f"virtualbox-{FORMAT}"
"""A root file system of Debian unstable with VirtualBox, kept for the next run."""
LOGS = BOXES / "virtualbox-logs"
"""What each step of the last run wrote, kept to be read."""
ASKED = LOGS / "vboxmanage.jsonl"
"""What VBoxManage was asked, one call a line, with who answered."""
BOX_VERSION = "1.0.0"


def programs(scratch: Scratch) -> Path:
    """A folder for PATH, in which VBoxManage lies."""
    return scratch.folder / "bin"


def adapters(scratch: Scratch) -> Path:
    """The host-only adapters that VBoxManage was asked for."""
    return scratch.folder / "adapters.json"


def settings(scratch: Scratch) -> Path:
    """VirtualBox's own folder, in place of ~/.config/VirtualBox."""
    return scratch.folder / "virtualbox"


def bench(scratch: Scratch) -> Path:
    """Where the box is made."""
    return scratch.folder / "bench"


def machines(scratch: Scratch) -> Path:
    """VirtualBox's machines and their disks, in place of ~/VirtualBox VMs."""
    return scratch.folder / "machines"
