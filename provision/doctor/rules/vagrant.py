"""Whether Vagrant is there, and its box fits the processor."""

from collections.abc import Iterator

from provision.doctor.facts.host import HostKind
from provision.doctor.facts.vagrant import VagrantFacts
from provision.doctor.finding import Finding, error, ok, warning
from provision.doctor.versions import shown

KNOWS_ARCHITECTURES_SINCE = (2, 4, 0)  # hashicorp/vagrant, CHANGELOG.md, GH-13239


def judge_vagrant(vagrant: VagrantFacts, kind: HostKind) -> Finding:
    """Tell whether it is installed."""
    if vagrant.version:
        return ok("Vagrant", shown(vagrant.version))
    debian = "sudo apt-get install vagrant, or HashiCorp's own package"
    mend = "brew install --cask vagrant" if kind.is_mac else debian
    return error("Vagrant", "not installed", mend)


def judge_box(box: str, vagrant: VagrantFacts, kind: HostKind) -> Iterator[Finding]:
    """Say where a box has to be built for another processor; only its publisher knows if it is."""
    if not kind.is_arm:
        return
    mend = "vagrant: {box: …} in topology.yml, one that is built for arm64"
    if vagrant.version and vagrant.version < KNOWS_ARCHITECTURES_SINCE:
        mend += "; Vagrant 2.4.0 or later finds that build by itself"
    yield warning("box", f"this processor is ARM: {box} has to be built for arm64", mend)
