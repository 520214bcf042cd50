"""Vagrant as it is installed: its version, its plugins, what it can drive, what it has made."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from provision.doctor.facts.asking import SLOW_ANSWER_S, ask
from provision.doctor.facts.files import text_of
from provision.doctor.versions import Version, parse_version

DRIVERS = "plugins/providers/virtualbox/driver/version_*.rb"
INSTALLED = (  # Debian's and Ubuntu's package; HashiCorp's own on Linux and macOS
    "usr/share/rubygems-integration/all/gems/vagrant-[0-9]*",
    "opt/vagrant/embedded/gems/gems/vagrant-[0-9]*",
    "opt/vagrant/embedded/gems/*/gems/vagrant-[0-9]*",
)


@dataclass(frozen=True)
class VagrantFacts:
    """A Vagrant; `drives` are the VirtualBox versions it has a driver for, empty if not found."""

    version: Version | None
    drives: frozenset[Version] = frozenset()


def vagrant() -> VagrantFacts:
    """Ask Vagrant for its version, and look at which VirtualBox drivers it brings along."""
    answer = ask(["vagrant", "--version"], within_s=SLOW_ANSWER_S)
    version = parse_version(answer.out) if answer.succeeded else None
    return VagrantFacts(version, drivers_below(Path("/")) if version else frozenset())


def drivers_below(root: Path) -> frozenset[Version]:
    """Read the VirtualBox versions off the names of the drivers' files."""
    files = [file for place in INSTALLED for file in root.glob(f"{place}/{DRIVERS}")]
    found = [re.fullmatch(r"version_(\d+)_(\d+)", file.stem) for file in files]
    return frozenset((int(name[1]), int(name[2])) for name in found if name)


def has_plugin(name: str) -> bool | None:
    """Tell whether a plugin is there, which Vagrant itself knows; None if it won't say."""
    listed = ask(["vagrant", "plugin", "list"], within_s=SLOW_ANSWER_S)
    if not listed.succeeded:
        return False if listed.is_missing else None
    return any(line.split()[:1] == [name] for line in listed.out.splitlines())


def vagrant_home() -> Path:
    """Return where Vagrant keeps boxes."""
    return Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")


def asks_for_emulation(folder: Path) -> bool:
    """Tell whether the user's or the project's Vagrantfile chooses libvirt's driver `qemu`."""
    texts = [text_of(place / "Vagrantfile") or "" for place in (vagrant_home(), folder)]
    return any(re.search(r"""\.driver\s*=\s*["']qemu["']""", text) for text in texts)
