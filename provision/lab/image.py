"""Images: root file systems that every machine of a lab is layered upon, built once and kept.

`base` is a minimal release with systemd and sshd; `warm` is that with the lab's packages installed.
An image is known by what went into it, so a change of inputs is a new image. It is built under
another name and renamed when complete: what lies under its own name is whole.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.command import run, tail
from provision.lab.customise import finish_base, finish_warm, prepare_warm
from provision.lab.host import check_room
from provision.lab.places import Places
from provision.lab.recipe import BASE_PACKAGES, Recipe
from provision.lab.release import Release
from provision.lab.units import Launcher

BUILD_UNIT = "build"
NEEDED_GB = 3.0


@dataclass(frozen=True)
class ImageStore:
    """The images of this host, and how one lab adds to them."""

    places: Places
    launcher: Launcher
    proxy: str
    say: Callable[[str], None]

    def path(self, recipe: Recipe) -> Path:
        """Return where the root file system of an image lies once it's built."""
        return self.places.images / recipe.key

    def clear_unfinished(self) -> None:
        """End a build that an earlier command left behind and remove what it wrote."""
        self.launcher.cgroup(BUILD_UNIT).kill()
        self.launcher.clean(BUILD_UNIT)
        shutil.rmtree(self._workbench, ignore_errors=True)

    def ensure(self, recipe: Recipe, release: Callable[[], tuple[Release, bool]]) -> Path:
        """Return the image, built if need be; `release` and whether its age is ignored."""
        if not self.path(recipe).is_dir():
            check_room(self.places.images, NEEDED_GB)
            self.places.images.chmod(0o700)  # for what is setuid in an image
            self.clear_unfinished()
            self._build(recipe, *release())
        return self.path(recipe)

    def _build(self, recipe: Recipe, release: Release, ignores_age: bool) -> None:
        if not self.path(recipe.base).is_dir():
            self._build_base(recipe.base, release, ignores_age)
        if recipe.packages:
            self._build_warm(recipe)

    def _build_base(self, recipe: Recipe, release: Release, ignores_age: bool) -> None:
        self.say(f"building an image of {release.origin} {recipe.suite} (once, under a minute)")
        root = self._workbench / "root"
        root.parent.mkdir(parents=True)
        (root.parent / "sources.list").write_text(release.sources())
        self._call(self._debootstrap(recipe.suite, root, ignores_age))
        finish_base(root, release, ignores_age)
        self._keep(root, recipe)

    def _build_warm(self, recipe: Recipe) -> None:
        self.say(f"preinstalling {len(recipe.packages)} packages in it (once, a minute or two)")
        root = self._workbench / "root"
        root.parent.mkdir(parents=True)
        run(["cp", "-a", "--reflink=auto", str(self.path(recipe.base)), str(root)])
        before = prepare_warm(root)
        self._call(self._install(root, recipe.packages))
        finish_warm(root, before)
        self._keep(root, recipe)

    def _keep(self, root: Path, recipe: Recipe) -> None:
        root.rename(self.path(recipe))
        shutil.rmtree(self._workbench)

    def _call(self, argv: Sequence[str]) -> None:
        log = self._workbench / "log"
        if self.launcher.call(BUILD_UNIT, argv, log) != 0:
            raise QuartetError(
                "image", f"can't be built: {tail(log.read_text())}", f"see {log}, then ./lab up"
            )

    def _debootstrap(self, suite: str, root: Path, ignores_age: bool) -> list[str]:
        aptopts = [f'Acquire::http::Proxy "{self.proxy}"']
        aptopts += ['Acquire::Check-Valid-Until "false"'] if ignores_age else []
        return [
            *("unshare", "--mount", "--propagation=private", "mmdebstrap", "--mode=root"),
            *("--variant=minbase", "--format=directory", "--skip=cleanup/apt/lists"),
            f"--include={','.join(BASE_PACKAGES)}",
            *(f"--aptopt={option}" for option in aptopts),
            "--dpkgopt=force-unsafe-io",
            *(suite, str(root), str(root.parent / "sources.list")),
        ]

    def _install(self, root: Path, packages: Sequence[str]) -> list[str]:
        install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        return [
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--as-pid2"),
            *("--console=pipe", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            f"--directory={root}",
            "--setenv=DEBIAN_FRONTEND=noninteractive",
            *install,
            f"-oAcquire::http::Proxy={self.proxy}",
        ]

    @property
    def _workbench(self) -> Path:
        return self.places.images / f".building-{self.places.lab}"
