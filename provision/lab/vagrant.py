"""The providers `virtualbox` and `libvirt`: virtual machines, which Vagrant makes and switches.

What there is, Vagrant knows: whoever uses `vagrant` itself changes the same machines. Only how to
log in is remembered, as long as Vagrant's own files say that nothing has changed.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.base import Endpoint, MachineState, Say
from provision.lab.choice import refuse_a_second
from provision.lab.client import make_folder
from provision.lab.lock import lab_lock
from provision.lab.parallel import side_by_side
from provision.lab.ready import boot_trouble
from provision.lab.vagrant_logins import VagrantLogins
from provision.lab.vagrant_memory import machine_ids
from provision.lab.vagrant_program import VagrantProgram
from provision.topology import Topology

READY_S = 600.0  # Vagrant has logged in by then; a slow laptop may still be starting services
POLL_S = 1.0


class VagrantLab:
    """The machines of one topology as virtual machines of one of Vagrant's providers."""

    def __init__(self, topology: Topology, provider: str, *, say: Say) -> None:
        self._topology = topology
        self._provider = provider
        self._say = say
        self._vagrant = VagrantProgram(topology, provider)
        self._logins = VagrantLogins(topology, provider, self._vagrant)

    def up(self, names: Sequence[str] | None = None) -> None:
        """Create what is absent, boot what is stopped, and return once each lets us log in."""
        wanted = self._pick(names)
        with self._lock("up"):
            refuse_a_second(self._topology, self._provider)
            for stray in self._strays():
                self._say(f"{stray}: no longer in topology.yml; `inv destroy` removes it")
            away = self._logins.away(wanted)
            if away:
                self._say(f"vagrant boots {', '.join(away)}: minutes, the first time")
                self._logins.outdate()
                self._vagrant.up(away)
                self._wait_for(away)

    def halt(self, names: Sequence[str] | None = None) -> None:
        """Shut machines down as their own power button would."""
        with self._lock("halt"):
            self._logins.outdate()
            self._vagrant.halt(self._pick(names))

    def power_cut(self, names: Sequence[str] | None = None) -> None:
        """Stop machines at once, as if somebody had pulled the plug."""
        with self._lock("power cut"):
            self._logins.outdate()
            self._vagrant.halt(self._pick(names), force=True)

    def reboot(self, names: Sequence[str] | None = None) -> None:
        """Restart running machines and return once each lets us log in again."""
        with self._lock("reboot"):
            states = self._vagrant.states()
            running = [n for n in self._pick(names) if states[n] is MachineState.RUNNING]
            if running:
                self._logins.outdate()
                self._vagrant.reload(running)
                self._wait_for(running)

    def destroy(self, names: Sequence[str] | None = None) -> None:
        """Remove machines with all that they hold; the last one takes the lab's network along."""
        with self._lock("destroy"):
            strays = [n for n in self._strays() if names is None or n in names]
            known = self._pick(None if names is None else [n for n in names if n not in strays])
            self._logins.outdate()
            if known:
                self._vagrant.destroy(known)
            if strays:
                self._vagrant.destroy_strays(strays)
            self._logins.forget([*known, *strays])

    def status(self) -> dict[str, MachineState]:
        """Say for each machine of the topology what it is doing; changes nothing."""
        states = self._vagrant.states()
        self._logins.refresh(states)
        return states

    def endpoint(self, name: str) -> Endpoint:
        """Say how to log in to a machine; QuartetError where it doesn't run."""
        endpoints = self._logins.endpoints()
        if name not in endpoints:
            raise QuartetError(name, "is not running", f"./lab up --limit {name}")
        return endpoints[name]

    def ssh_config(self) -> Path:
        """Return the ssh configuration, brought up to date; Vagrant is asked only if need be."""
        self._logins.endpoints()
        return self._logins.config

    @contextmanager
    def _lock(self, action: str) -> Iterator[None]:
        make_folder(self._topology.state_folder)
        with lab_lock(self._topology.state_folder / "vagrant.lock", action):
            yield

    def _pick(self, names: Sequence[str] | None) -> list[str]:
        chosen = [m.name for m in self._topology.machines] if names is None else names
        return [self._topology.machine(name).name for name in chosen]

    def _strays(self) -> list[str]:
        """Machines that the topology has no longer; those of a file beside it aren't ours."""
        if self._topology.path.name != "topology.yml":
            return []
        known = {machine.name for machine in self._topology.machines}
        made = machine_ids(self._vagrant.folder, self._provider)
        return [name for name in made if name not in known]

    def _wait_for(self, names: Sequence[str]) -> None:
        """Return once machines that Vagrant has booted are done with booting."""
        self._logins.refresh()
        for name in names:
            # What is away by now will not come back by waiting.
            self.endpoint(name)
        side_by_side(partial(self._wait, time.monotonic() + READY_S), names)

    def _wait(self, deadline: float, name: str) -> None:
        """Log in until the machine has booted; a slow one may break off a login before that."""
        while trouble := boot_trouble(name, self._logins.config, deadline):
            if time.monotonic() > deadline:
                raise QuartetError(
                    name,
                    f"did not finish booting within {READY_S:.0f} s: {trouble}",
                    f"see why: ./lab ssh {name} systemctl list-jobs",
                )
            time.sleep(POLL_S)
