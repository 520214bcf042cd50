"""Where a lab keeps things on its host."""

from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/quartet")
CACHE = Path("/var/cache/quartet")
NETWORK_NAMESPACES = Path("/run/netns")


@dataclass(frozen=True)
class Places:
    """The files of one lab; images are shared by all labs of a host."""

    lab: str
    state: Path = STATE
    cache: Path = CACHE

    @property
    def home(self) -> Path:
        """Everything that `destroy` removes."""
        return self.state / self.lab

    @property
    def lock(self) -> Path:
        """Outlives `destroy`: removing a lock file under its holder would let two in."""
        return self.state / f"{self.lab}.lock"

    @property
    def owner(self) -> Path:
        """Holds the path of the topology.yml that this lab was made from."""
        return self.home / "owner"

    @property
    def machines(self) -> Path:
        """One folder per machine."""
        return self.home / "machines"

    @property
    def packages(self) -> Path:
        """Configuration, socket and log of the package cache."""
        return self.home / "packages"

    @property
    def package_cache(self) -> Path:
        """Packages fetched so far; survives `destroy`."""
        return self.cache / "packages" / self.lab

    @property
    def images(self) -> Path:
        """Root file systems that machines are layered upon; survive `destroy`."""
        return self.cache / "images"

    @property
    def namespace(self) -> Path:
        """The network namespace that holds the lab's bridge."""
        return NETWORK_NAMESPACES / f"quartet-{self.lab}"
