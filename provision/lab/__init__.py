"""Where machines come from: one interface, and the providers behind it."""

from collections.abc import Sequence

from provision.errors import QuartetError
from provision.lab.base import Endpoint, Lab, MachineState, Say
from provision.topology import Topology

__all__ = ["Endpoint", "Lab", "MachineState", "open_lab"]


def open_lab(topology: Topology, *, say: Say, packages: Sequence[str] = ()) -> Lab:
    """Return the lab that a topology describes; nothing is started yet.

    `say` is told, one line at a time, what takes long; `packages` are Debian packages that machines
    may find installed already, which saves time and nothing else.
    """
    if topology.provider == "nspawn":
        # A provider is imported by who uses it: provisioning needs none.
        from provision.lab.nspawn import NspawnLab  # noqa: PLC0415

        return NspawnLab(topology, say=say, packages=packages)
    raise QuartetError(
        f"{topology.path}: provider",
        f"there is no provider {topology.provider!r} yet",
        "provider: nspawn",
    )
