"""Which machines there are: in the topology, and on this host."""

from collections.abc import Sequence
from dataclasses import dataclass

from provision.lab.image import BUILD_UNIT
from provision.lab.machines import NspawnMachine
from provision.lab.packages import UNITS
from provision.lab.places import Places
from provision.lab.units import Launcher
from provision.topology import Topology

OTHER_UNITS = {*UNITS, BUILD_UNIT}


@dataclass(frozen=True)
class Roster:
    """The machines of one lab."""

    topology: Topology
    places: Places
    launcher: Launcher

    def pick(self, names: Sequence[str] | None) -> list[NspawnMachine]:
        """Return machines of the topology, by default all; raises QuartetError for any other."""
        chosen = [m.name for m in self.topology.machines] if names is None else names
        return [self._machine(self.topology.machine(name).name) for name in chosen]

    def everything(self) -> list[NspawnMachine]:
        """Return machines of the topology, and those that it has no longer but this host has."""
        names = {machine.name for machine in self.topology.machines}
        names |= {folder.name for folder in self.places.machines.glob("[!.]*/")}
        names |= set(self.launcher.units()) - OTHER_UNITS
        return [self._machine(name) for name in sorted(names)]

    def strays(self) -> list[NspawnMachine]:
        """Return those that the topology has no longer."""
        known = {machine.name for machine in self.topology.machines}
        return [machine for machine in self.everything() if machine.name not in known]

    def find(self, names: Sequence[str]) -> list[NspawnMachine]:
        """Return machines by name, strays among them."""
        strays = {machine.name: machine for machine in self.strays()}
        return [strays.get(name) or self.pick([name])[0] for name in names]

    def _machine(self, name: str) -> NspawnMachine:
        folder = self.places.machines / name
        return NspawnMachine(self.topology.name, name, folder, self.launcher)
