"""The provider `ssh`: servers that exist already, which nobody here makes, switches or removes.

How to reach each is what topology.yml says of it, and for the rest what `ssh` itself would do:
`ssh -G` reads the user's own configuration, with all that ssh_config(5) allows in it.
"""

import subprocess
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import NoReturn

from provision.errors import QuartetError
from provision.lab.base import Endpoint, MachineState, Say
from provision.lab.client import SshClient
from provision.lab.parallel import side_by_side
from provision.lab.ssh_settings import Login, endpoint_for
from provision.topology import Machine, Topology

ANSWER_WITHIN_S = 10


class Servers:
    """The machines of one topology as servers that their owner runs."""

    def __init__(self, topology: Topology, *, say: Say) -> None:
        self._topology = topology
        self._say = say
        self._client = SshClient(topology.state_folder)

    def up(self, names: Sequence[str] | None = None) -> None:
        """Boot nothing: the servers are there, or their owner knows why not."""
        self._say(f"{self._topology.path.name}: servers that exist already, so nothing is booted")

    def halt(self, names: Sequence[str] | None = None) -> None:
        """Refuse: the servers are not ours to switch."""
        self._refuse("shut down")

    def power_cut(self, names: Sequence[str] | None = None) -> None:
        """Refuse: the servers are not ours to switch."""
        self._refuse("switched off")

    def reboot(self, names: Sequence[str] | None = None) -> None:
        """Refuse: the servers are not ours to switch."""
        self._refuse("rebooted")

    def destroy(self, names: Sequence[str] | None = None) -> None:
        """Refuse: the servers are not ours to remove."""
        self._refuse("removed")

    def status(self) -> dict[str, MachineState]:
        """Say which of the servers let us log in, and of the others why they don't."""
        config = self.ssh_config()
        names = [machine.name for machine in self._topology.machines]
        complaints = dict(zip(names, side_by_side(partial(_complaint, config), names), strict=True))
        for name, complaint in complaints.items():
            if complaint:
                self._say(f"{name}: {complaint}")
        return {
            name: MachineState.UNREACHABLE if complaint else MachineState.RUNNING
            for name, complaint in complaints.items()
        }

    def endpoint(self, name: str) -> Endpoint:
        """Say how to log in to a server."""
        return self._endpoints[name]

    def ssh_config(self) -> Path:
        """Write the ssh configuration for the servers anew and return it."""
        self._client.write_config(self._endpoints)
        if not self._client.known_hosts.exists():
            self._client.trust({})
        return self._client.config

    @cached_property
    def _endpoints(self) -> dict[str, Endpoint]:
        machines = self._topology.machines
        endpoints = side_by_side(self._resolve, machines)
        return {each.name: end for each, end in zip(machines, endpoints, strict=True)}

    def _resolve(self, machine: Machine) -> Endpoint:
        own, shared = machine.ssh, self._topology.ssh
        login = Login(
            host=own.host or str(machine.address),
            user=own.user or shared.user,
            port=own.port or shared.port,
            key=own.key or shared.key,
            jump=own.jump or shared.jump,
        )
        return endpoint_for(machine.name, login)

    def _refuse(self, verb: str) -> NoReturn:
        raise QuartetError(
            self._topology.path.name,
            f"describes servers that exist already; none was {verb}",
            "do that where you rent or keep them",
        )


def _complaint(config: Path, name: str) -> str:
    """What ssh says where it can't log in; nothing where it can."""
    argv = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", name, "true"]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {ANSWER_WITHIN_S} s"
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (lines or [f"ssh ended with {done.returncode}"])[-1]
