"""Whether Vagrant is there and new enough, and its box fits the processor."""

from collections.abc import Iterator

from provision.doctor.facts.host import HostKind
from provision.doctor.facts.vagrant import VagrantFacts
from provision.doctor.finding import Finding, error, ok, warning
from provision.doctor.versions import Version, shown

OLDEST = (2, 3)
KNOWS_ARCHITECTURES_SINCE = (2, 4)  # hashicorp/vagrant, CHANGELOG.md, GH-13239
# Its packages for Linux are for amd64 alone: hashicorp/vagrant issue 13814.
PACKAGES = "https://developer.hashicorp.com/vagrant/install"
SOURCE = "https://developer.hashicorp.com/vagrant/docs/installation/source"


def judge_vagrant(vagrant: VagrantFacts, kind: HostKind) -> Finding:
    """Tell whether it is installed, and new enough."""
    oldest = KNOWS_ARCHITECTURES_SINCE if kind.is_arm else OLDEST
    if vagrant.version is None:
        return error("Vagrant", "not installed", _first_install(oldest, kind))
    if vagrant.version < oldest:
        found = f"{shown(vagrant.version)}, older than {shown(oldest)}"
        return error("Vagrant", found, newer_vagrant(oldest, kind))
    return ok("Vagrant", shown(vagrant.version))


def newer_vagrant(oldest: Version, kind: HostKind) -> str:
    """Say where this version or a later one comes from."""
    page = SOURCE if kind.is_linux and kind.is_arm else PACKAGES
    return f"install Vagrant {shown(oldest)} or later: {page}"


def judge_box(box: str, kind: HostKind) -> Iterator[Finding]:
    """Say where a box has to be built for another processor; only its publisher knows if it is."""
    if not kind.is_arm:
        return
    mend = "vagrant: {box: …} in topology.yml, one that is built for arm64"
    yield warning("box", f"this processor is ARM: {box} has to be built for arm64", mend)


def _first_install(oldest: Version, kind: HostKind) -> str:
    if kind.is_mac:
        return "brew install --cask vagrant"
    if kind.is_arm:  # distributions have older ones
        return newer_vagrant(oldest, kind)
    return f"sudo apt-get install vagrant, or HashiCorp's own package: {PACKAGES}"
