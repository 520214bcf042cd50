"""The provider `nspawn`: each machine a system container, in a network of the lab's own.

What is there is read from the kernel (mounts, cgroups, namespaces, links) on every call and never
remembered, so that a command that was killed anywhere is put right by the next one.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Interface
from pathlib import Path

from provision.lab import host
from provision.lab.base import SSH_PORT, Endpoint, MachineState, Say
from provision.lab.client import SshClient
from provision.lab.customise import USER, certificates_hash
from provision.lab.disk import sweep
from provision.lab.image import ImageStore
from provision.lab.launcher import launcher_for
from provision.lab.lock import lab_lock
from provision.lab.machines import NspawnMachine
from provision.lab.mounts import unmount_below
from provision.lab.network import LabNetwork, proxy_address
from provision.lab.ownership import claim
from provision.lab.packages import PackageCache
from provision.lab.parallel import side_by_side
from provision.lab.places import Places
from provision.lab.ready import greets, wait_until_ready
from provision.lab.recipe import choose_recipe, find_release
from provision.lab.roster import Roster
from provision.lab.units import Limits
from provision.topology import Topology


class NspawnLab:
    """The machines of one topology as system containers on this host."""

    def __init__(self, topology: Topology, *, say: Say, packages: Sequence[str] = ()) -> None:
        self._topology = topology
        self._say = say
        self._packages = tuple(sorted(set(packages))) if topology.nspawn.preinstall else ()
        self._places = Places(topology.name)
        self._launcher = launcher_for(topology.name)
        self._client = SshClient(topology.state_folder)
        taken = {machine.address for machine in topology.machines} | {topology.gateway}
        proxy = proxy_address(topology.network, taken)
        self._network = LabNetwork(self._places, topology.network, topology.gateway, proxy)
        self._cache = PackageCache(self._places, self._network, self._launcher)
        self._roster = Roster(topology, self._places, self._launcher)
        self._images = ImageStore(self._places, self._launcher, self._cache.url, say)

    def up(self, names: Sequence[str] | None = None) -> None:
        """Create what is absent, boot what is stopped, and return once each lets us log in."""
        machines = self._roster.pick(names)
        with self._changing("up"):
            for stray in self._roster.strays():
                self._say(f"{stray.name}: no longer in topology.yml; `inv destroy` removes it")
            host.install_missing(self._say)
            self._network.ensure_up()
            self._cache.ensure_up()
            self._client.write_config(
                {m.name: self.endpoint(m.name) for m in self._topology.machines}
            )
            self._create([m for m in machines if m.state() is MachineState.ABSENT])
            stopped = [m for m in machines if m.state() is not MachineState.RUNNING]
            self._boot(stopped)
            self._client.trust({m.name: self._host_key(m) for m in machines})
            side_by_side(self._wait, [m for m in machines if not self._is_ready(m)])

    def halt(self, names: Sequence[str] | None = None) -> None:
        """Shut machines down as their own power button would."""
        self._switch_off("halt", names, NspawnMachine.power_off)

    def power_cut(self, names: Sequence[str] | None = None) -> None:
        """Stop machines at once, as if somebody had pulled the plug."""
        self._switch_off("power cut", names, NspawnMachine.cut_power)

    def reboot(self, names: Sequence[str] | None = None) -> None:
        """Restart running machines and return once each lets us log in again."""
        with self._changing("reboot"):
            running = self._running(names)
            side_by_side(NspawnMachine.restart, running)
            side_by_side(self._wait, running)

    def destroy(self, names: Sequence[str] | None = None) -> None:
        """Remove machines with all that they hold; the last one takes the lab's network along."""
        with self._changing("destroy"):
            machines = self._roster.everything() if names is None else self._roster.find(names)
            side_by_side(NspawnMachine.remove, machines)
            self._client.distrust([machine.name for machine in machines])
            self._rest()
            if all(m.state() is MachineState.ABSENT for m in self._roster.everything()):
                self._remove_lab()

    def status(self) -> dict[str, MachineState]:
        """Say for each machine of the topology what it is doing; changes nothing."""
        return {machine.name: machine.state() for machine in self._roster.pick(None)}

    def endpoint(self, name: str) -> Endpoint:
        """Say how to log in to a machine."""
        address = self._topology.machine(name).address
        return Endpoint(str(address), SSH_PORT, USER, (self._client.key,))

    def ssh_config(self) -> Path:
        """Return the ssh configuration; it is written when machines are booted."""
        return self._client.config

    @contextmanager
    def _changing(self, action: str) -> Iterator[None]:
        """Hold the lab, which is ours, and tidy up what a killed command left."""
        host.check_root()
        with lab_lock(self._places.lock, action), host.plain_umask():
            claim(self._places.owner, self._topology.path, self._places.machines)
            self._sweep()
            yield

    def _switch_off(
        self, action: str, names: Sequence[str] | None, method: Callable[[NspawnMachine], None]
    ) -> None:
        with self._changing(action):
            side_by_side(method, self._running(names))
            self._rest()

    def _running(self, names: Sequence[str] | None) -> list[NspawnMachine]:
        return [m for m in self._roster.pick(names) if m.state() is MachineState.RUNNING]

    def _create(self, machines: Sequence[NspawnMachine]) -> None:
        if not machines:
            return
        host.check_room(self._places.state, 1.0)
        wishes = self._topology.nspawn
        recipe = choose_recipe(wishes, self._packages, certificates_hash(), self._say)
        image = self._images.ensure(
            recipe, lambda: find_release(recipe, self._cache.url, self._say)
        )
        for machine in machines:
            machine.disk.create(image)

    def _boot(self, machines: Sequence[NspawnMachine]) -> None:
        if not machines:
            return
        self._say(f"booting {', '.join(machine.name for machine in machines)}")
        side_by_side(partial(self._prepare, self._client.public_key()), machines)
        side_by_side(self._start, machines)

    def _prepare(self, key: str, machine: NspawnMachine) -> None:
        machine.put_away()
        machine.disk.mount()
        address = self._topology.machine(machine.name).address
        interface = IPv4Interface((address, self._topology.network.prefixlen))
        machine.personalise(self._topology.domain, interface, self._cache.url, key)

    def _start(self, machine: NspawnMachine) -> None:
        facts = self._topology.machine(machine.name)
        machine.boot(self._network.inside, Limits(facts.memory_mb, facts.cpus))

    def _is_ready(self, machine: NspawnMachine) -> bool:
        return machine.greeted.exists() and greets(self.endpoint(machine.name))

    def _host_key(self, machine: NspawnMachine) -> tuple[str, str]:
        return str(self.endpoint(machine.name).host), machine.host_key()

    def _wait(self, machine: NspawnMachine) -> None:
        wait_until_ready(
            machine.name,
            self.endpoint(machine.name),
            self._client.config,
            machine.cgroup.is_populated,
            machine.console,
        )
        machine.greeted.touch()

    def _sweep(self) -> None:
        """Remove what a command left that was killed halfway."""
        self._images.clear_unfinished()
        sweep(self._places.machines)

    def _rest(self) -> None:
        """Leave only folders of stopped machines, and nothing else once all are stopped."""
        machines = self._roster.everything()
        stopped = [m for m in machines if m.state() is not MachineState.RUNNING]
        for machine in stopped:
            machine.put_away()
        if len(stopped) == len(machines):
            self._cache.stop()
            self._network.remove()
            self._launcher.close()

    def _remove_lab(self) -> None:
        unmount_below(self._places.home)
        self._client.forget()
        shutil.rmtree(self._places.home)
