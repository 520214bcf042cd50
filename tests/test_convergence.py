"""One run over all machines, with a fleet that answers from memory."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from provision.connection import HostKeyError, RunEndingError, UnreachableError
from provision.converge import START_DATABASE, Convergence, Selection, Survey
from provision.distribution import DISTRIBUTION, Distribution
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.mysql.gtid import GtidSet
from provision.mysql.replica import Replica
from provision.mysql.state import MYSQL, DatabaseState, Source
from provision.resources import Fact, Snapshot
from provision.resources.file import FILES
from provision.resources.package import PACKAGES
from provision.roles import packages
from provision.secrets import SecretStore
from tests.site_parts import TOPOLOGY

DATABASES = [machine.name for machine in TOPOLOGY.databases]
DOWN = DatabaseState(configured=True)
INSTALLED = dict.fromkeys(packages(TOPOLOGY), "ii")


class Machine:
    """Has all packages and one database state; scripts are written down."""

    def __init__(self, name: str, database: DatabaseState, has: Mapping[str, Any]) -> None:
        self.name = name
        self.database = database
        self.scripts: list[str] = []
        self.questions: list[tuple[Fact, ...]] = []
        self._has = has

    def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 60) -> str:
        self.scripts.append(script)
        return ""

    def read(self, facts: Iterable[Fact]) -> Snapshot:
        self.questions.append(tuple(facts))
        return Snapshot(
            {MYSQL.name: {"server": self.database}, PACKAGES.name: INSTALLED, **self._has}
        )


class MemoryFleet:
    """Machines by name; those that are `off` can't be reached."""

    def __init__(
        self,
        databases: Mapping[str, DatabaseState] | None = None,
        off: Iterable[str] = (),
        has: Mapping[str, Any] | None = None,
    ) -> None:
        states = databases or {}
        self.machines = {
            machine.name: Machine(
                machine.name, states.get(machine.name, DatabaseState()), has or {}
            )
            for machine in TOPOLOGY.machines
        }
        self._off = set(off)

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def each(
        self, arguments: Mapping[str, Any], action: Callable[[Any, Any], Any]
    ) -> dict[str, Any]:
        return self.collect(self.ask(arguments, action))

    def collect(self, futures: dict[str, Any]) -> dict[str, Any]:
        return futures

    def ask(
        self, arguments: Mapping[str, Any], action: Callable[[Any, Any], Any]
    ) -> dict[str, Any]:
        return {
            name: UnreachableError(name, "is off")
            if name in self._off
            else action(self[name], each)
            for name, each in arguments.items()
        }


class Silent:
    """A Progress that nobody watches."""

    def __init__(self) -> None:
        self.failed = threading.Event()

    def started(self, machine: str, step: object) -> None:
        return

    def waiting(self, machine: str, step: object, need: object) -> None:
        return

    def repeated(self, machine: str, step: object, left: object) -> None:
        return

    def finished(self, machine: str, step: object, error: QuartetError | None) -> None:
        if error:
            self.failed.set()


def _convergence(fleet: MemoryFleet, selection: Selection | None = None) -> Convergence:
    return Convergence(TOPOLOGY, SecretStore(None), cast("Fleet", fleet), selection)


def _survey(fleet: MemoryFleet, **selected: Any) -> Survey:
    return _convergence(fleet, Selection(**selected)).survey()


def _steps(survey: Survey, name: str) -> set[str]:
    return {step.role for step in survey.plans[name].steps}


def _cluster(primary: str, *, writable: bool = True) -> dict[str, DatabaseState]:
    source = Source(str(TOPOLOGY.machine(primary).address), "replication", True, True, True)
    data = GtidSet("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9")
    good = DatabaseState(
        answers=True, configured=True, server_uuid="x", gtid_executed=data, schemas=("app",)
    )
    follower = replace(good, source=source)
    return {
        name: replace(good, read_only=not writable, super_read_only=not writable)
        if name == primary
        else follower
        for name in DATABASES
    }


def test_survey_asks_each_machine_once_and_changes_nothing() -> None:
    fleet = MemoryFleet()
    survey = _survey(fleet)
    assert [len(each.questions) for each in fleet.machines.values()] == [1, 1, 1, 1]
    assert not any(each.scripts for each in fleet.machines.values())
    assert list(survey.plans) == list(fleet.machines)
    assert survey.failures == {}


def test_same_questions_are_asked_whoever_is_primary() -> None:
    asked = []
    for primary in ("web-01", "web-02"):
        fleet = MemoryFleet(_cluster(primary))
        _survey(fleet)
        asked.append({name: set(each.questions[0]) for name, each in fleet.machines.items()})
    assert asked[0] == asked[1]


def test_plan_is_made_for_the_primary_that_the_servers_name() -> None:
    survey = _survey(MemoryFleet(_cluster("web-02")))
    assert survey.cluster is not None
    assert survey.cluster.primary.name == "web-02"
    assert not survey.plans["web-01"].has_step("mysql primary")
    assert survey.plans["web-02"].has_step("mysql primary")


def test_replica_is_planned_for_what_its_primary_says_where_the_rest_was_made_before() -> None:
    survey = _survey(MemoryFleet(_cluster("web-01") | {"db-03": DatabaseState(answers=True)}))
    (step,) = [each for each in survey.plans["db-03"].steps if isinstance(each.resource, Replica)]
    assert isinstance(step.resource, Replica)
    assert step.resource.primary_uuid == "x"


def test_machines_are_asked_once_where_somebody_has_begun_before() -> None:
    fleet = MemoryFleet()
    convergence = _convergence(fleet)
    survey = convergence.survey(convergence.ask())
    assert [len(each.questions) for each in fleet.machines.values()] == [1, 1, 1, 1]
    assert list(survey.plans) == list(fleet.machines)


def test_machine_that_is_off_is_reported_and_the_others_planned() -> None:
    survey = _survey(MemoryFleet(off=["web-02"]))
    assert list(survey.failures) == ["web-02"]
    assert list(survey.plans) == ["lb-01", "web-01", "db-03"]


def test_run_may_change_the_selected_machines_alone() -> None:
    fleet = MemoryFleet(off=["web-02"])
    convergence = _convergence(fleet, Selection(machines=("lb-01",)))
    outcomes = convergence.apply(convergence.survey(), Silent())
    assert [outcome.machine for outcome in outcomes] == ["lb-01"]
    assert [name for name, each in fleet.machines.items() if each.scripts] == ["lb-01"]


def test_selected_machine_that_is_off_counts_as_failed() -> None:
    convergence = _convergence(MemoryFleet(off=["lb-01"]), Selection(machines=("lb-01",)))
    (outcome,) = convergence.apply(convergence.survey(), Silent())
    assert (outcome.machine, outcome.failed) == ("lb-01", 1)
    assert isinstance(outcome.errors[0], UnreachableError)


@pytest.mark.parametrize(
    ("machines", "started"), [((), ["web-02", "db-03"]), (("db-03",), ["db-03"])]
)
def test_databases_that_are_down_are_started_first(
    machines: tuple[str, ...], started: list[str]
) -> None:
    fleet = MemoryFleet(_cluster("web-01") | {"web-02": DOWN, "db-03": DOWN})
    convergence = _convergence(fleet, Selection(machines=machines))
    assert convergence.start_databases(convergence.survey()) == started
    told = [name for name, each in fleet.machines.items() if START_DATABASE in each.scripts]
    assert told == started


def test_fresh_machine_has_no_database_to_start() -> None:
    convergence = _convergence(MemoryFleet())
    assert convergence.start_databases(convergence.survey()) == []


def test_split_brain_leaves_databases_alone_and_plans_the_rest() -> None:
    databases = _cluster("web-01") | {"web-02": _cluster("web-02")["web-02"]}
    fleet = MemoryFleet(databases)
    convergence = _convergence(fleet)
    survey = convergence.survey()
    assert survey.undecided is not None
    assert "split brain" in survey.undecided.what
    assert _steps(survey, "lb-01") == {"haproxy", "dns"}
    assert _steps(survey, "web-01") == {"haproxy", "nginx", "dbagent", "backups"}
    assert _steps(survey, "db-03") == {"dbagent", "backups"}
    outcomes = convergence.apply(survey, Silent())
    assert outcomes[-1].errors == [survey.undecided]
    assert not any("mysql" in script for each in fleet.machines.values() for script in each.scripts)


def test_need_of_a_machine_that_the_run_leaves_out_is_not_reached() -> None:
    survey = _survey(MemoryFleet(), machines=("db-03",))
    assert survey.unreached == [("web-01", "mysql primary")]


def test_need_of_a_role_that_the_run_leaves_out_is_not_reached() -> None:
    survey = _survey(MemoryFleet(), roles=("app",))
    assert ("web-01", "mysql primary") in survey.unreached
    assert ("web-01", "migration") not in survey.unreached


def test_need_of_a_machine_that_is_off_is_not_reached() -> None:
    survey = _survey(MemoryFleet(_cluster("web-01"), off=["web-01"]))
    assert ("web-01", "mysql primary") in survey.unreached


def test_complete_run_reaches_every_need() -> None:
    assert _survey(MemoryFleet()).unreached == []


def test_facts_of_files_are_asked_by_path() -> None:
    fleet = MemoryFleet()
    _survey(fleet)
    asked = fleet["lb-01"].questions[0]
    assert Fact(FILES, "/etc/haproxy/haproxy.cfg") in asked


def _with_failures(*failures: QuartetError) -> Survey:
    return Survey(failures={error.where: error for error in failures})


def test_machine_that_is_not_who_it_was_ends_the_run_and_a_plan_too() -> None:
    survey = _with_failures(
        UnreachableError("db-03", "is off"), HostKeyError("web-01", "its host key has changed")
    )
    for check in (survey.raise_if_unsafe, survey.raise_if_refused):
        with pytest.raises(HostKeyError, match=r"^web-01: its host key has changed"):
            check()


def test_what_ends_the_run_for_all_is_told_once() -> None:
    password = RunEndingError("web-01", "sudo refused the password")
    survey = Survey(failures={"web-01": password, "web-02": password})
    with pytest.raises(RunEndingError) as caught:
        survey.raise_if_unsafe()
    assert caught.value is password


def test_machine_that_is_merely_off_ends_no_run_of_a_lab() -> None:
    survey = _survey(MemoryFleet(off=["db-03"]))
    survey.raise_if_refused()


def test_refusal_ends_the_run_before_anything_is_changed_but_not_the_plan() -> None:
    rocky = Distribution("rocky", "Rocky Linux 9")
    fleet = MemoryFleet(has={DISTRIBUTION.kind.name: {DISTRIBUTION.key: rocky}})
    survey = _survey(fleet)
    survey.raise_if_unsafe()
    with pytest.raises(QuartetError, match="several things are in the way") as caught:
        survey.raise_if_refused()
    assert str(caught.value).count("runs Rocky Linux 9") == len(TOPOLOGY.machines)
    assert survey.plans
    assert not any(each.scripts for each in fleet.machines.values())


@pytest.mark.parametrize(
    ("machines", "is_refused"), [((), True), (("db-03",), True), (("web-01",), False)]
)
def test_all_servers_that_a_run_is_about_have_to_answer(
    machines: tuple[str, ...], is_refused: bool
) -> None:
    servers = replace(TOPOLOGY, provider="ssh")
    fleet = cast("Fleet", MemoryFleet(off=["db-03"]))
    selection = Selection(machines=machines)
    survey = Convergence(servers, SecretStore(None), fleet, selection).survey()
    assert [error.where for error in survey.refusals] == (["db-03"] if is_refused else [])
