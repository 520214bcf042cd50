"""Bring the machines to their desired state: connect, read, decide, plan, apply."""

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property

from provision import roles
from provision.apply import Need, Outcome, Progress, apply
from provision.connection import Connection, RunEndingError
from provision.errors import QuartetError, raise_joined
from provision.fleet import Fleet
from provision.mysql.cluster import Cluster, NoPrimaryError, as_described, decide
from provision.mysql.state import SERVER, database_state
from provision.plan import MachinePlan, plan_machine
from provision.refusals import facts, refusals
from provision.resources import Fact, Resource, Snapshot
from provision.roles.site import Site
from provision.secrets import SecretStore
from provision.topology import Machine, Topology

Desired = list[tuple[str, Resource]]
"""A machine's resources, each with its role."""
Questions = Mapping[str, Future[Snapshot]]
"""What machines have been asked, and will have answered."""

START_DATABASE = "systemctl start mysql"
DATABASE_ROLES = frozenset({"mysql", "app", "web", "primary", "replica"})


@dataclass(frozen=True)
class Selection:
    """What a run may change; empty means everything."""

    machines: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    reclone: frozenset[str] = frozenset()

    def has(self, machine: str) -> bool:
        """Whether the run may change this machine."""
        return not self.machines or machine in self.machines


@dataclass
class Survey:
    """What was found before anything is changed."""

    hosts: dict[str, Connection] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    failures: dict[str, QuartetError] = field(default_factory=dict)
    plans: dict[str, MachinePlan] = field(default_factory=dict)
    unreached: list[Need] = field(default_factory=list)
    cluster: Cluster | None = None
    undecided: QuartetError | None = None
    refusals: list[QuartetError] = field(default_factory=list)

    def raise_if_unsafe(self) -> None:
        """Raise what ends the whole run: a machine that is not who it was, a refused password."""
        raise_joined([e for e in self.failures.values() if isinstance(e, RunEndingError)])

    def raise_if_refused(self) -> None:
        """Raise what forbids to change anything, on any machine."""
        self.raise_if_unsafe()
        raise_joined(self.refusals)

    @property
    def has_data(self) -> bool:
        """Whether any database answered that has taken part."""
        return any(database_state(each).is_member for each in self.snapshots.values())


class Convergence:
    """One run over the machines of a topology."""

    def __init__(
        self,
        topology: Topology,
        secrets: SecretStore,
        fleet: Fleet,
        selection: Selection | None = None,
        *,
        is_founded: bool = False,
    ) -> None:
        self._topology = topology
        self._fleet = fleet
        self._selection = selection or Selection()
        self._is_founded = is_founded
        self._site = Site(
            topology, secrets, as_described(topology), reclone=self._selection.reclone
        )

    def ask(self) -> Questions:
        """Ask all machines at once for all that `survey` has to know; nobody waits for it yet."""
        return self._fleet.ask(self._facts(), lambda host, facts: host.read(facts))

    def survey(self, asked: Questions | None = None) -> Survey:
        """Take what the machines answer, and plan; nothing is changed."""
        survey = Survey()
        for name, answer in self._fleet.collect(asked or self.ask()).items():
            if isinstance(answer, QuartetError):
                survey.failures[name] = answer
            else:
                survey.snapshots[name] = answer
                survey.hosts[name] = self._fleet[name]
        chosen = {n: each for n, each in survey.snapshots.items() if self._selection.has(n)}
        survey.refusals = [*self._missing(survey), *refusals(self._topology, chosen)]
        self._plan(survey)
        return survey

    def _missing(self, survey: Survey) -> list[QuartetError]:
        """On servers that somebody depends on, all that a run is about have to answer."""
        if self._topology.provider != "ssh":
            return []
        return [error for name, error in survey.failures.items() if self._selection.has(name)]

    def start_databases(self, survey: Survey) -> list[str]:
        """Start the database servers that are set up but don't answer, and return whose.

        Only they can tell who is primary, so this comes before the plan that is applied. One that
        can't be started is tried again by its own step of the plan, which tells why.
        """
        if self._selection.roles and not DATABASE_ROLES & set(self._selection.roles):
            return []
        down = {
            name: START_DATABASE
            for name, snapshot in survey.snapshots.items()
            if database_state(snapshot).is_down and self._selection.has(name)
        }
        self._fleet.each(down, lambda host, command: host.run(command, timeout_s=120))
        return list(down)

    def apply(self, survey: Survey, progress: Progress) -> list[Outcome]:
        """Carry the plans out, on the selected machines; those out of reach count as failed."""
        plans = {name: plan for name, plan in survey.plans.items() if self._selection.has(name)}
        outcomes = apply(plans, survey.hosts, survey.unreached, progress)
        lost = [
            Outcome(name, failed=1, errors=[error])
            for name, error in survey.failures.items()
            if self._selection.has(name)
        ]
        if survey.undecided:
            lost.append(Outcome("databases", failed=1, errors=[survey.undecided]))
        order = [*[machine.name for machine in self._topology.machines], "databases"]
        return sorted([*outcomes, *lost], key=lambda outcome: order.index(outcome.machine))

    @cached_property
    def _assumed(self) -> dict[str, Desired]:
        """All resources of each machine, should the primary be the one that topology.yml names."""
        return {each.name: roles.resources(each, self._site) for each in self._topology.machines}

    def _facts(self) -> dict[str, list[Fact]]:
        """The questions to each machine; they are the same whoever is primary."""
        return {
            machine.name: [
                *[fact for _, each in self._assumed[machine.name] for fact in each.facts()],
                *([SERVER] if machine.is_database else []),
                *facts(machine),
            ]
            for machine in self._topology.machines
        }

    def _plan(self, survey: Survey) -> None:
        databases = {
            machine.name: database_state(survey.snapshots[machine.name])
            for machine in self._topology.databases
            if machine.name in survey.snapshots
        }
        try:
            survey.cluster = decide(self._topology, databases, is_founded=self._is_founded)
        except NoPrimaryError as error:
            survey.undecided = error
        site = replace(self._site, cluster=survey.cluster or self._site.cluster)
        survey.plans = self._plans(survey, site, self._selection.roles or None)
        survey.unreached = self._unreached(survey, site)

    def _plans(
        self,
        survey: Survey,
        site: Site,
        only: Collection[str] | None,
    ) -> dict[str, MachinePlan]:
        return {
            machine.name: plan_machine(
                machine.name,
                self._desired(machine, site, only, self._without(survey, machine.name)),
                survey.snapshots[machine.name],
            )
            for machine in self._topology.machines
            if machine.name in survey.snapshots
        }

    def _desired(
        self, machine: Machine, site: Site, only: Collection[str] | None, without: Collection[str]
    ) -> Desired:
        """A machine's resources; of those that were assumed, all that hold are taken over."""
        if only is not None or without or site.cluster.primary != self._site.cluster.primary:
            return roles.resources(machine, site, only, without)
        anew = roles.resources(machine, site, without=roles.SAME_FOR_A_PRIMARY)
        known = {each.id: each for _, each in anew}
        return [(role, known.get(each.id, each)) for role, each in self._assumed[machine.name]]

    def _without(self, survey: Survey, name: str) -> Collection[str]:
        """The roles that are left alone while nobody knows who is primary.

        A server that doesn't answer may need its configuration mended before it can say; one that
        does is not touched.
        """
        if not survey.undecided:
            return ()
        answers = database_state(survey.snapshots[name]).answers
        return roles.NEED_A_PRIMARY | ({roles.SERVER} if answers else set())

    def _unreached(self, survey: Survey, site: Site) -> list[Need]:
        """What some resource needs and this run will not bring about."""
        chosen = survey.plans
        complete = self._plans(survey, site, None) if self._selection.roles else chosen
        needs = {
            need
            for name, plan in chosen.items()
            if self._selection.has(name)
            for step in plan.steps
            for need in step.resource.requires
        }
        return [need for need in sorted(needs) if self._is_unreached(need, complete, chosen)]

    def _is_unreached(
        self,
        need: Need,
        complete: Mapping[str, MachinePlan],
        chosen: Mapping[str, MachinePlan],
    ) -> bool:
        name, resource_id = need
        if name not in complete:
            return True
        will_do = self._selection.has(name) and chosen[name].has_step(resource_id)
        return complete[name].has_step(resource_id) and not will_do
