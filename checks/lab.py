"""The lab under check: its topology, its secrets, and the machines by SSH."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

import testinfra
from testinfra.host import Host

from checks import machine_facts
from checks.databases import Database, ServerState
from checks.machine_facts import MachineFacts
from checks.secret_values import SecretValues
from checks.ssh import Masters
from provision.topology import Machine, Role, Topology

Answer = TypeVar("Answer")


@dataclass
class Lab:
    """The machines as they are; facts and database states are read once, at the start."""

    topology: Topology
    directory: Path
    secrets: SecretValues

    def __post_init__(self) -> None:
        self.masters = Masters(self.directory / "ssh_config")
        self.facts: dict[str, MachineFacts] = {}
        self.states: dict[str, ServerState | str] = {}

    def open(self) -> None:
        """Connect to everything at once and read what there is to know."""
        databases = self.topology.databases
        with ThreadPoolExecutor(2) as pool:
            states = pool.submit(self._each, databases, self._state)
            facts = pool.submit(self._connect)
            self.states, self.facts = states.result(), facts.result()

    def close(self) -> None:
        """Leave no connection and no process behind."""
        for database in self.databases.values():
            database.close()
        self.masters.close()

    def root(self, machine: Machine) -> Host:
        """Return the machine as Testinfra sees it, with sudo."""
        options = {
            "ssh_config": self.masters.config,
            "controlpath": self.masters.socket(machine.name),
            "sudo": "true",
        }
        return testinfra.get_host(f"ssh://{machine.name}?{urlencode(options)}")

    @cached_property
    def databases(self) -> dict[str, Database]:
        """The database servers by machine name."""
        port = self.topology.ports.mysql
        return {each.name: Database(each, port, self.secrets) for each in self.topology.databases}

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
        return self.topology.with_role(Role.HAPROXY)[0]

    @property
    def webs(self) -> tuple[Machine, ...]:
        """The machines behind it."""
        return self.topology.with_role(Role.WEB)

    @property
    def serving_webs(self) -> tuple[Machine, ...]:
        """Those of them that requests go to while all are well."""
        return self.webs[:1] if self.topology.load_balancing == "active-passive" else self.webs

    def _connect(self) -> dict[str, MachineFacts]:
        self.masters.open(machine.name for machine in self.topology.machines)
        reachable = [
            machine
            for machine in self.topology.machines
            if machine.name not in self.masters.unreachable
        ]
        facts = self._each(reachable, self._facts)
        return {name: each for name, each in facts.items() if each is not None}

    def _facts(self, machine: Machine) -> MachineFacts | None:
        try:
            return machine_facts.read(self.root(machine), machine, self.topology.domain)
        except RuntimeError as error:
            self.masters.unreachable[machine.name] = str(error).strip().splitlines()[-1]
            return None

    def _state(self, machine: Machine) -> ServerState | str:
        return self.databases[machine.name].try_state()

    @staticmethod
    def _each(
        machines: tuple[Machine, ...] | list[Machine], ask: Callable[[Machine], Answer]
    ) -> dict[str, Answer]:
        with ThreadPoolExecutor(max(len(machines), 1)) as pool:
            answers = list(pool.map(ask, machines))
        return {machine.name: answer for machine, answer in zip(machines, answers, strict=True)}
