"""Which provider has the machines: the one that was asked for, has some already, or is described.

Nothing is remembered for this: it is read from the traces that each provider's machines leave.
"""

from collections.abc import Iterator
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.places import Places
from provision.topology import Topology

PROVIDERS = ("nspawn", "virtualbox", "libvirt", "ssh")
VAGRANT = ("virtualbox", "libvirt")


def chosen_provider(topology: Topology, wished: str = "") -> str:
    """Return the provider to use; QuartetError where the wish can't be granted."""
    if wished and wished not in PROVIDERS:
        raise QuartetError(
            "--provider", f"there is no provider {wished!r}", f"pick from {', '.join(PROVIDERS)}"
        )
    if wished and (wished == "ssh") != (topology.provider == "ssh"):
        raise QuartetError(
            "--provider",
            f"{topology.path.name} describes machines of {topology.provider}, not of {wished}",
            "leave it out, or name another file with --topology",
        )
    return wished or next(providers_in_use(topology), topology.provider)


def providers_in_use(topology: Topology) -> Iterator[str]:
    """Find the providers that have machines of this topology; servers are never in use here."""
    if topology.provider == "ssh":
        return
    for provider in VAGRANT:
        if any(machine_files(topology, provider)):
            yield provider
    if Places(topology.name).machines.exists():
        yield "nspawn"


def machine_files(topology: Topology, provider: str) -> Iterator[Path]:
    """Find where Vagrant notes its machines' ids."""
    for machine in topology.machines:
        path = vagrant_folder(topology) / "machines" / machine.name / provider / "id"
        if path.exists():
            yield path


def vagrant_folder(topology: Topology) -> Path:
    """Where Vagrant keeps its notes: `.vagrant` beside topology.yml, a part of it for other files.

    Plain `vagrant` needs VAGRANT_DOTFILE_PATH to find the latter.
    """
    folder = topology.path.parent / ".vagrant"
    return folder if topology.path.name == "topology.yml" else folder / topology.path.stem


def refuse_a_second(topology: Topology, provider: str) -> None:
    """Raise QuartetError where another provider has machines of this topology already."""
    others = [each for each in providers_in_use(topology) if each != provider]
    if others:
        raise QuartetError(
            topology.name,
            f"has machines of {others[0]} already, with the same addresses",
            f"./lab destroy --provider {others[0]}",
        )
