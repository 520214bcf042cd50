"""What a machine is stored on: an overlay of its own over an image that all share."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.mounts import is_mounted, mount_overlay, unmount_below

GONE = ".gone-"


@dataclass(frozen=True)
class Disk:
    """The disk of one machine."""

    name: str
    folder: Path

    @property
    def root(self) -> Path:
        """Where its root file system is mounted while the machine runs."""
        return self._inner / "root"

    @property
    def upper(self) -> Path:
        """What the machine has written since it was made."""
        return self._inner / "upper"

    @property
    def _work(self) -> Path:
        return self._inner / "work"

    @property
    def _inner(self) -> Path:
        return self.folder / "disk"

    @property
    def _image(self) -> Path:
        """A link to the image below, the same one for as long as the machine lives."""
        return self.folder / "image"

    def exists(self) -> bool:
        """Tell whether it was made, and completely."""
        return self._image.is_symlink()

    def create(self, image: Path) -> None:
        """Make its folders; the link to the image comes last and makes it exist."""
        for folder in (self._inner, self.root, self.upper, self._work):
            folder.mkdir(parents=True, exist_ok=True)
        self._inner.chmod(0o700)  # what is setuid in a machine must not serve users of its host
        self._image.symlink_to(image)

    def mount(self) -> None:
        """Mount its root file system unless it's mounted."""
        image = self._image.readlink()
        if not image.is_dir():
            raise QuartetError(
                self.name, f"its image {image} is gone", f"inv destroy {self.name}, then inv up"
            )
        if not is_mounted(self.root):
            mount_overlay(self.root, lower=image, upper=self.upper, work=self._work)

    def unmount(self) -> None:
        """Unmount it."""
        unmount_below(self.folder)

    def remove(self) -> None:
        """Remove it with all that it holds; it's gone at the rename, the rest is tidying."""
        if self.folder.exists():
            gone = self.folder.with_name(f"{GONE}{self.name}")
            shutil.rmtree(gone, ignore_errors=True)
            self.folder.rename(gone)
            shutil.rmtree(gone)


def sweep(machines: Path) -> None:
    """Finish removals that were cut off."""
    for gone in machines.glob(f"{GONE}*"):
        shutil.rmtree(gone)
