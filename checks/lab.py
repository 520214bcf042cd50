"""The lab under check: its topology, its secrets, and the machines by SSH."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from testinfra.host import Host

from checks import machine_facts
from checks.databases import Database, ServerState
from checks.front_door import Door
from checks.machine_facts import MachineFacts
from checks.root import NoRootError, SudoPassword, elevation, root_host
from checks.secret_values import SecretValues
from checks.ssh import Masters
from checks.tidying import do_all
from checks.ways import Ways
from provision.topology import Machine, Role, Topology

Answer = TypeVar("Answer")


@dataclass
class Lab:
    """The machines as they are; facts and database states are read once, at the start."""

    topology: Topology
    directory: Path
    secrets: SecretValues
    sudo_password: SudoPassword | None = None

    def __post_init__(self) -> None:
        self.masters = Masters(self.directory / "ssh_config")
        self.ways = Ways(self.topology, self.masters)
        self._hosts: dict[str, Host] = {}
        self.facts: dict[str, MachineFacts] = {}
        self.states: dict[str, ServerState | str] = {}

    def connect(self) -> None:
        """Log in to all machines at once, and find out how to become root there."""
        self.masters.open(machine.name for machine in self.topology.machines)
        found = self._each(self._reachable(), self._host)
        self._hosts = {name: each for name, each in found.items() if each is not None}

    def read(self) -> None:
        """Read from all machines at once what there is to know."""
        with ThreadPoolExecutor(2) as pool:
            states = pool.submit(self._each, self.topology.databases, self._state)
            facts = pool.submit(self._each, self._reachable(), self._facts)
            self.states = states.result()
            self.facts = {name: each for name, each in facts.result().items() if each is not None}

    def close(self) -> None:
        """Leave no connection and no process behind."""
        databases = [database.close for database in self.databases.values()]
        do_all([*databases, self.masters.close])

    def root(self, machine: Machine) -> Host:
        """Return the machine as Testinfra sees it, as root."""
        return self._hosts[machine.name]

    def front_door(self) -> Door:
        """Return the site's own door, to be closed after use."""
        return self.door(self.load_balancer, self.topology.ports.http)

    def door(self, machine: Machine, port: int) -> Door:
        """Return the door of one machine at a port, to be closed after use."""
        return Door(machine, self.ways.to(machine, port), self.topology.domain)

    @cached_property
    def databases(self) -> dict[str, Database]:
        """The database servers by machine name."""
        port = self.topology.ports.mysql
        return {
            each.name: Database(each, self.ways.to(each, port), self.secrets)
            for each in self.topology.databases
        }

    @property
    def is_ours_alone(self) -> bool:
        """Whether nobody else has anything on the machines.

        A server that existed before may have more sites, accounts, sockets and failed units than
        ours; there a check judges what is ours, and not what else there is.
        """
        return self.topology.provider != "ssh"

    @property
    def primary(self) -> Machine:
        """The database that takes writes, as the servers say; if they disagree, the planned one."""
        writable = [
            machine
            for machine in self.topology.databases
            if isinstance(state := self.states.get(machine.name), ServerState) and state.is_writable
        ]
        return writable[0] if len(writable) == 1 else self.topology.primary

    @property
    def replicas(self) -> list[Machine]:
        """All other databases."""
        return [each for each in self.topology.databases if each != self.primary]

    @property
    def load_balancer(self) -> Machine:
        """The machine in front."""
        return self.topology.load_balancer

    @property
    def webs(self) -> tuple[Machine, ...]:
        """The machines behind it."""
        return self.topology.with_role(Role.WEB)

    @property
    def serving_webs(self) -> tuple[Machine, ...]:
        """Those of them that requests go to while all are well."""
        return self.webs[:1] if self.topology.load_balancing == "active-passive" else self.webs

    def _reachable(self) -> list[Machine]:
        unreachable = self.masters.unreachable
        return [machine for machine in self.topology.machines if machine.name not in unreachable]

    def _host(self, machine: Machine) -> Host | None:
        try:
            becoming = elevation(self.masters, machine.name, self.sudo_password)
            return root_host(machine.name, self.masters, becoming)
        except NoRootError as error:
            self.masters.unreachable[machine.name] = str(error)
            return None

    def _facts(self, machine: Machine) -> MachineFacts | None:
        try:
            return machine_facts.read(self.root(machine), machine, self.topology)
        except RuntimeError as error:
            self.masters.unreachable[machine.name] = str(error).strip().splitlines()[-1]
            return None

    def _state(self, machine: Machine) -> ServerState | str:
        if self.ways.lead_through_ssh and machine.name in self.masters.unreachable:
            return "can't be asked"
        return self.databases[machine.name].try_state()

    @staticmethod
    def _each(machines: Sequence[Machine], ask: Callable[[Machine], Answer]) -> dict[str, Answer]:
        with ThreadPoolExecutor(max(len(machines), 1)) as pool:
            answers = list(pool.map(ask, machines))
        return {machine.name: answer for machine, answer in zip(machines, answers, strict=True)}
