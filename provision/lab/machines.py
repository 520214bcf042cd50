"""One nspawn machine: its folder, its root file system, its processes."""

import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from provision.errors import QuartetError
from provision.lab import identity
from provision.lab.base import MachineState
from provision.lab.cgroup import Cgroup
from provision.lab.command import succeeds
from provision.lab.disk import Disk
from provision.lab.guest import guest_init
from provision.lab.mounts import unmount_below
from provision.lab.network import BRIDGE
from provision.lab.units import Launcher, Limits
from provision.polling import is_reached

POWER_OFF = signal.SIGRTMIN + 4  # systemd(1), signals
REBOOT = signal.SIGRTMIN + 5
HALT_S = 120.0
NSPAWN_RUNTIME = Path("/run/systemd/nspawn")


@dataclass(frozen=True)
class NspawnMachine:
    """One machine of a lab; `lab` and `name` together name it on its host."""

    lab: str
    name: str
    folder: Path
    launcher: Launcher

    @property
    def disk(self) -> Disk:
        """What it is stored on."""
        return Disk(self.name, self.folder)

    @property
    def console(self) -> Path:
        """What it said while booting."""
        return self.folder / "console.log"

    @property
    def greeted(self) -> Path:
        """There once we could log in, from then until the next boot."""
        return self.folder / "greeted"

    @property
    def cgroup(self) -> Cgroup:
        """All of its processes."""
        return self.launcher.cgroup(self.name)

    def state(self) -> MachineState:
        """Say what it is doing, from its processes and its folder."""
        if self.cgroup.is_populated():
            return MachineState.RUNNING
        return MachineState.STOPPED if self.disk.exists() else MachineState.ABSENT

    def personalise(self, domain: str, interface: IPv4Interface, proxy: str, key: str) -> None:
        """Write what makes it this machine."""
        identity.christen(self.disk.root, self.disk.upper, self.name, domain)
        identity.wire(self.disk.root, interface, proxy, key)
        identity.give_host_key(self.disk.root, self.name)

    def host_key(self) -> str:
        """Return its public host key; its root must be mounted."""
        return identity.host_key(self.disk.root)

    def boot(self, inside: Sequence[str], limits: Limits) -> None:
        """Start it in the lab's network namespace; nspawn gives it one of its own there."""
        for trace in (self.console, self.greeted):
            trace.unlink(missing_ok=True)
        # After a power cut the kernel takes a while to remove the machine's end of its cable.
        succeeds([*inside, "ip", "link", "del", f"vb-{self._full_name}"])
        self.launcher.start(self.name, [*inside, *self._nspawn()], self.console, limits)

    def power_off(self) -> None:
        """Ask it to shut down and wait until it has."""
        self._signal_init(POWER_OFF)
        if not is_reached(lambda: not self.cgroup.is_populated(), within_s=HALT_S):
            raise QuartetError(
                self.name, f"did not shut down within {HALT_S:.0f} s", f"see {self.console}"
            )

    def restart(self) -> None:
        """Ask it to reboot and wait until its old processes are gone."""
        before = guest_init(self.cgroup)
        self._signal_init(REBOOT)
        if not is_reached(lambda: guest_init(self.cgroup) not in {before, None}, within_s=HALT_S):
            raise QuartetError(
                self.name, f"did not restart within {HALT_S:.0f} s", f"see {self.console}"
            )

    def cut_power(self) -> None:
        """Kill all of its processes at once."""
        self.cgroup.kill()

    def put_away(self) -> None:
        """Leave nothing of a stopped machine but its folder.

        A killed systemd-nspawn leaves a mount of its own behind, and a recent one (262) refuses to
        boot the machine over it.
        """
        self.launcher.clean(self.name)
        self.disk.unmount()
        name = self._full_name
        for folder in (NSPAWN_RUNTIME / name, *NSPAWN_RUNTIME.glob(f"*/{name}")):
            unmount_below(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove it with all it holds."""
        self.cut_power()
        self.put_away()
        self.disk.remove()

    @property
    def _full_name(self) -> str:
        return f"{self.lab}-{self.name}"

    def _signal_init(self, number: int) -> None:
        init = guest_init(self.cgroup)
        if init is not None:
            os.kill(init, number)

    def _nspawn(self) -> list[str]:
        return [
            *("env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "systemd-nspawn", "--quiet", "--boot"),
            *(f"--directory={self.disk.root}", f"--machine={self._full_name}"),
            *(f"--hostname={self.name}", f"--network-bridge={BRIDGE}"),
            *("--register=no", "--keep-unit", "--resolv-conf=off", "--timezone=off"),
            "--link-journal=no",
        ]
