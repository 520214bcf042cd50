"""Where machines come from: one interface, and the providers behind it."""

from collections.abc import Sequence
from pathlib import Path

from provision.lab.base import Endpoint, Lab, MachineState, Say
from provision.lab.choice import VAGRANT, chosen_provider, refuse_a_second
from provision.topology import Topology

__all__ = [
    "Endpoint",
    "Lab",
    "MachineState",
    "chosen_provider",
    "current_ssh_config",
    "open_lab",
    "refuse_a_second",
]


def open_lab(
    topology: Topology, *, say: Say, packages: Sequence[str] = (), provider: str = ""
) -> Lab:
    """Return the lab that a topology describes; nothing is started yet.

    `say` is told, one line at a time, what takes long; `packages` are Debian packages that machines
    may find installed already, which saves time and nothing else. `provider` overrides the one
    that has machines already, or that the file names.
    """
    # A provider is imported by who uses it: provisioning needs none of them whole.
    chosen = chosen_provider(topology, provider)
    if chosen == "ssh":
        from provision.lab.servers import Servers  # noqa: PLC0415

        return Servers(topology, say=say)
    if chosen in VAGRANT:
        from provision.lab.vagrant import VagrantLab  # noqa: PLC0415

        return VagrantLab(topology, chosen, say=say)
    from provision.lab.nspawn import NspawnLab  # noqa: PLC0415

    return NspawnLab(topology, say=say, packages=packages)


def current_ssh_config(topology: Topology, *, say: Say, provider: str = "") -> Path:
    """Return the ssh configuration for the machines, brought up to date."""
    if chosen_provider(topology, provider) == "nspawn":
        return topology.state_folder / "ssh_config"
    return open_lab(topology, say=say, provider=provider).ssh_config()
