"""What the box is made from, and the version that follows from it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from provision.lab.mirror import apt_setting, host_archive
from tests.vagrant.host import Say

FORMAT = 1  # raise it when boxes are built in another way
SUITE = "sid"  # the one suite of Debian that has MySQL itself
OVERLAY = Path(__file__).parent / "overlay"
GATEWAY = "192.168.121.1"  # the host's, in vagrant-libvirt's own network
PACKAGES = (
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "zstd",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "dbus",
    "openssh-server",
    "openssh-client",
    "sudo",
    "iproute2",
    "ca-certificates",
    "python3-minimal",
)


@dataclass(frozen=True)
class Recipe:
    """All that makes one box differ from another."""

    mirror: str
    ignores_age: bool
    preinstalled: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """A version as Vagrant wants one, another for each recipe."""
        files = {
            str(path): path.read_text() for path in sorted(OVERLAY.rglob("*")) if path.is_file()
        }
        inputs = json.dumps([FORMAT, PACKAGES, files, asdict(self)], sort_keys=True)
        return f"1.0.{int(hashlib.sha256(inputs.encode()).hexdigest()[:7], 16)}"


def choose_recipe(preinstalled: tuple[str, ...], say: Say) -> Recipe:
    """Take mirror and strictness from the host's own apt."""
    return Recipe(
        mirror=host_archive(say).uri,
        ignores_age=apt_setting("Acquire::Check-Valid-Until") == "false",
        preinstalled=preinstalled,
    )
