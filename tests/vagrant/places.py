"""Where the rig keeps things: what is worth keeping, and what goes with the run."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path("/var/cache/quartet")
BOX = "quartet/debian"
BOXES = CACHE / "vagrant"
LOGS = BOXES / "logs"
"""What each step of the last run wrote, kept to be read."""


@dataclass(frozen=True)
class Scratch:
    """The folders of one run; all of them go when it ends."""

    folder: Path

    @property
    def clone(self) -> Path:
        """A fresh clone of this repository: what its users have."""
        return self.folder / "clone"

    @property
    def vagrant_home(self) -> Path:
        """Vagrant's own folder: its boxes, and the settings of this host."""
        return self.folder / "vagrant"

    @property
    def home(self) -> Path:
        """The home directory of whatever runs, in place of root's."""
        return self.folder / "home"

    @property
    def packages(self) -> Path:
        """Configuration, socket and log of the package cache."""
        return self.folder / "packages"

    @property
    def libvirt(self) -> Path:
        """What libvirt finds in place of the host's own folders."""
        return self.folder / "libvirt"

    @property
    def catalog(self) -> Path:
        """What tells Vagrant of the box and its version."""
        return self.folder / "catalog.json"

    @property
    def door(self) -> Path:
        """The package cache's socket, which reaches across network namespaces."""
        return self.packages / "socket"
