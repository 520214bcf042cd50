"""VirtualBox as it is installed."""

from dataclasses import dataclass
from pathlib import Path

from provision.doctor.facts.asking import SLOW_ANSWER_S, ask
from provision.doctor.facts.files import text_of
from provision.doctor.versions import Version, parse_version

DEVICE = Path("/dev/vboxdrv")
NETWORKS = Path("/etc/vbox/networks.conf")


@dataclass(frozen=True)
class VirtualBoxFacts:
    """A VirtualBox; `networks_conf` is what /etc/vbox/networks.conf says, None without one."""

    version: Version | None
    has_device: bool
    networks_conf: str | None


def virtualbox() -> VirtualBoxFacts:
    """Ask VBoxManage, and look for the kernel module's device."""
    answer = ask(["VBoxManage", "--version"], within_s=SLOW_ANSWER_S)
    return VirtualBoxFacts(version_in(answer.out), DEVICE.exists(), text_of(NETWORKS))


def version_in(said: str) -> Version | None:
    """Read the version off the last line; a missing kernel module is complained about before it."""
    lines = said.split()
    return parse_version(lines[-1]) if lines else None
