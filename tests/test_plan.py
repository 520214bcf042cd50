"""The plan: desired minus actual, in the order of work."""

from collections.abc import Mapping
from dataclasses import dataclass

from provision.plan import Step, plan_machine
from provision.resources import Host, Resource, Snapshot, State


@dataclass(frozen=True)
class Thing(Resource):
    """A resource whose actual state is said with it."""

    name: str
    is_now: str = "good"
    triggers: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.name

    def facts(self) -> tuple[()]:
        return ()

    def desired(self) -> State:
        return {"state": "good", "other": "same"}

    def actual(self, snapshot: Snapshot) -> State:
        return {"other": "same"} | ({} if self.is_now == "gone" else {"state": self.is_now})

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        raise AssertionError("a plan applies nothing")


def _steps(*things: Thing) -> tuple[Step, ...]:
    return plan_machine("web-01", [("a role", thing) for thing in things], Snapshot({})).steps


def test_nothing_to_do_is_an_empty_plan() -> None:
    plan = plan_machine("web-01", [("a", Thing("x")), ("b", Thing("y"))], Snapshot({}))
    assert plan.steps == ()
    assert (plan.resources, plan.unchanged) == (2, 2)


def test_machine_without_resources_has_an_empty_plan() -> None:
    assert plan_machine("web-01", [], Snapshot({})).unchanged == 0


def test_order_of_work_is_kept() -> None:
    steps = _steps(Thing("b", "bad"), Thing("c"), Thing("a", "bad"))
    assert [step.resource.id for step in steps] == ["b", "a"]


def test_step_knows_its_role_and_only_what_differs() -> None:
    assert _steps(Thing("x", "bad"))[0] == Step("a role", Thing("x", "bad"), {"state": "bad"})


def test_what_is_not_there_counts_as_new() -> None:
    gone, bad = _steps(Thing("x", "gone"), Thing("y", "bad"))
    assert gone.changes == {"state": "absent"}
    assert (gone.is_new, bad.is_new) == (True, False)


def test_change_pulls_in_what_it_triggers() -> None:
    steps = _steps(Thing("file", "bad"), Thing("service", triggers=("file", "other")))
    assert steps[1].changes == {"triggered": "file"}


def test_all_triggers_are_named_in_one_step() -> None:
    things = (Thing("b", "bad"), Thing("a", "bad"), Thing("service", "bad", ("a", "b", "c")))
    assert _steps(*things)[2].changes == {"state": "bad", "triggered": "a\nb"}


def test_what_was_triggered_triggers_in_turn() -> None:
    things = (Thing("a", "bad"), Thing("b", triggers=("a",)), Thing("c", triggers=("b",)))
    assert [step.resource.id for step in _steps(*things)] == ["a", "b", "c"]


def test_unchanged_file_triggers_nothing() -> None:
    assert _steps(Thing("file"), Thing("service", triggers=("file",))) == ()


def test_plan_knows_which_resources_have_a_step() -> None:
    plan = plan_machine("web-01", [("a", Thing("x", "bad")), ("a", Thing("y"))], Snapshot({}))
    assert (plan.has_step("x"), plan.has_step("y")) == (True, False)
    assert plan.unchanged == 1
