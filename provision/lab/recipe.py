"""What an image is made from, and the name that follows from it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from provision.errors import QuartetError
from provision.lab.host import install
from provision.lab.mirror import apt_setting, host_archive
from provision.lab.release import Release, fetch_release
from provision.topology import Nspawn

FORMAT = 3  # raise it when images are built in another way
BASE_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    "iproute2",
    "ca-certificates",
)


@dataclass(frozen=True)
class Recipe:
    """All that makes one image differ from another."""

    suite: str
    mirror: str
    packages: tuple[str, ...]
    ignores_age: bool  # the host's apt takes releases of any age
    refuses_age: bool
    certificates: str

    @property
    def key(self) -> str:
        """A short name for exactly this image."""
        inputs = json.dumps([FORMAT, BASE_PACKAGES, asdict(self)], sort_keys=True)
        kind = "warm" if self.packages else "base"
        return f"{self.suite}-{kind}-{hashlib.sha256(inputs.encode()).hexdigest()[:12]}"

    @property
    def base(self) -> "Recipe":
        """The image below this one."""
        return replace(self, packages=())


def choose_recipe(
    wishes: Nspawn, packages: tuple[str, ...], certificates: str, say: Callable[[str], None]
) -> Recipe:
    """Fill in from the host's apt what the topology leaves open."""
    mirror, suite = wishes.mirror, wishes.suite
    if mirror is None or suite is None:
        archive = host_archive(say)
        mirror, suite = mirror or archive.uri, suite or archive.default_suite
    return Recipe(
        suite=suite,
        mirror=mirror,
        packages=packages,
        ignores_age=apt_setting("Acquire::Check-Valid-Until") == "false",
        refuses_age=wishes.expired_release == "refuse",
        certificates=certificates,
    )


def find_release(recipe: Recipe, proxy: str, say: Callable[[str], None]) -> tuple[Release, bool]:
    """Read the recipe's release, and decide whether apt has to overlook its age.

    Raises QuartetError if the release has expired and the topology refuses that.
    """
    release = fetch_release(recipe.mirror, recipe.suite, proxy)
    if not release.keyring.exists():
        say(f"installing on this host: {release.keyring_package}, to check signatures")
        install([release.keyring_package])
    if recipe.ignores_age or not release.is_expired():
        return release, recipe.ignores_age
    where = f"{recipe.mirror} {recipe.suite}"
    if recipe.refuses_age:
        raise QuartetError(
            where,
            f"this release expired on {release.valid_until:%Y-%m-%d}",
            "use another mirror, or set nspawn.expired_release: warn in topology.yml",
        )
    say(f"{where}: expired on {release.valid_until:%Y-%m-%d}, used all the same (signed, but old)")
    return release, True
