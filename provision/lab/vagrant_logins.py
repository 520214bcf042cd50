"""How to log in to Vagrant's machines, kept up to date with as few questions as can be.

Vagrant is asked in one call for all machines, and again only when its own files have changed, when
we have switched machines ourselves, or when one can no longer be reached where it was.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from provision.lab.base import Endpoint, MachineState
from provision.lab.client import SshClient, make_folder
from provision.lab.parallel import side_by_side
from provision.lab.vagrant_memory import (
    Memory,
    Remembered,
    fingerprint_of,
    machine_ids,
    read_memory,
    write_memory,
)
from provision.lab.vagrant_program import VagrantError, VagrantProgram
from provision.lab.vagrant_ssh import accepts, endpoints_in, first_host_key
from provision.topology import Topology

# The machines that run; None for one that says nothing of how to log in, or not yet.
Answers = Mapping[str, Endpoint | None]


class VagrantLogins:
    """What ssh needs to know of one provider's machines, and when that was last true."""

    def __init__(self, topology: Topology, provider: str, vagrant: VagrantProgram) -> None:
        self._topology = topology
        self._provider = provider
        self._vagrant = vagrant
        self._client = SshClient(topology.state_folder)
        self._file = topology.state_folder / "vagrant.json"

    @property
    def config(self) -> Path:
        """The ssh configuration, as it was last written."""
        return self._client.config

    def endpoints(self) -> Mapping[str, Endpoint]:
        """How to log in to the machines that run, brought up to date."""
        memory = self._memory
        if memory.fingerprint != self._fingerprint() or _unreachable(memory.endpoints):
            self.refresh()
        return self._memory.endpoints

    def away(self, names: Sequence[str]) -> list[str]:
        """Those that aren't known to run, for which Vagrant has to look."""
        memory = self._memory
        if memory.fingerprint != self._fingerprint():
            return list(names)
        unreachable = _unreachable(memory.endpoints)
        return [n for n in names if n not in memory.endpoints or n in unreachable]

    def outdate(self) -> None:
        """Have Vagrant asked next time, even if this run is killed in what it does next."""
        if self._memory.machines:
            write_memory(self._file, self._memory.stale())

    def refresh(self, states: Mapping[str, MachineState] | None = None) -> None:
        """Ask Vagrant how to log in, and write that down for ssh and for the next time."""
        before, fingerprint = self._memory, self._fingerprint()
        ids = machine_ids(self._vagrant.folder, self._provider)
        names = [machine.name for machine in self._topology.machines if machine.name in ids]
        if not names:
            self.forget(list(before.machines))
            return
        make_folder(self._topology.state_folder)
        answers = self._ask(names) if states is None else self._ask_running(names, states)
        keys = _host_keys({name: before.host_key(name, ids[name]) for name in names}, answers)
        machines = {
            name: Remembered(ids[name], keys[name], answers.get(name) if keys[name] else None)
            for name in names
        }
        is_whole = all(machines[name].endpoint for name in answers)
        self._client.distrust(before.machines)
        self._write(Memory(fingerprint if is_whole else "", machines))

    def forget(self, names: Sequence[str]) -> None:
        """Drop what points at machines that are gone; what another provider wrote stays."""
        before = self._memory
        if not before.machines:
            return
        after = before.without(names)
        self._client.distrust(names)
        self._write(after)
        if not after.machines:
            self._file.unlink()
            self._client.forget()

    @property
    def _memory(self) -> Memory:
        return read_memory(self._file)

    def _fingerprint(self) -> str:
        return fingerprint_of(self._vagrant.folder, self._provider)

    def _ask(self, names: Sequence[str]) -> Answers:
        """One call for all; where one of them doesn't run, Vagrant names none after it."""
        try:
            return {**dict.fromkeys(names), **endpoints_in(self._vagrant.ssh_config(names))}
        except VagrantError:
            return self._ask_running(names, self._vagrant.states())

    def _ask_running(self, names: Sequence[str], states: Mapping[str, MachineState]) -> Answers:
        """Leave out those that don't run; one that is just booting may have no address yet."""
        running = [name for name in names if states[name] is MachineState.RUNNING]
        try:
            return dict(endpoints_in(self._vagrant.ssh_config(running)) if running else {})
        except VagrantError:
            return {name: self._ask_alone(name) for name in running}

    def _ask_alone(self, name: str) -> Endpoint | None:
        try:
            return endpoints_in(self._vagrant.ssh_config([name])).get(name)
        except VagrantError:
            return None

    def _write(self, memory: Memory) -> None:
        """Pin each host key under the address that its machine has now."""
        reached = memory.endpoints
        keys = {name: memory.machines[name].host_key for name in reached}
        self._client.trust({name: (reached[name].known_as, keys[name]) for name in reached})
        self._client.write_config(reached)
        write_memory(self._file, memory)


def _host_keys(known: Mapping[str, str], answers: Answers) -> dict[str, str]:
    """Ask new machines for their host keys; empty for one that doesn't let us log in."""
    new = {name: end for name, end in answers.items() if end and not known[name]}
    keys = side_by_side(lambda name: first_host_key(name, new[name]), list(new))
    return {**known, **dict(zip(new, keys, strict=True))}


def _unreachable(endpoints: Mapping[str, Endpoint]) -> set[str]:
    """Those where nothing listens: halted, or moved to another address or port at a boot.

    A boot that Vagrant did not do, say after the host's own, may change these unseen.
    """
    answers = side_by_side(accepts, list(endpoints.values()))
    return {name for name, accepted in zip(endpoints, answers, strict=True) if not accepted}
