"""Applying plans: order, failures kept to where they are, and machines that wait for each other."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from provision.apply import BlockedError, Need, Outcome, apply
from provision.connection import UnreachableError
from provision.errors import CutOffError, QuartetError
from provision.plan import MachinePlan, Step
from provision.resources import Fact, Host, Resource, Snapshot, State

DEADLINE_S = 10


def _nothing() -> None:
    return None


@dataclass(frozen=True, eq=False)
class Deed(Resource):
    """A resource that does what the test says; `left` is what is still wrong afterwards."""

    name: str
    do: Callable[[], None] = _nothing
    requires: tuple[Need, ...] = ()
    turn: tuple[Need, ...] = ()
    blocks_machine: bool = False
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.name

    def facts(self) -> tuple[Fact, ...]:
        return ()

    def desired(self) -> State:
        return {"state": "good", "mode": "0644"}

    def actual(self, snapshot: Snapshot) -> State:
        return {**self.desired(), **self.left}

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        self.do()


class NoHost:
    """A machine that nothing is run on, but whose state is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reads = 0

    def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 60) -> str:
        raise AssertionError("the deeds of these tests run nothing")

    def read(self, facts: Iterable[Fact]) -> Snapshot:
        self.reads += 1
        return Snapshot({})


class Log:
    """A Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.someone_waits = threading.Event()

    def started(self, machine: str, step: Step) -> None:
        self.lines.append(f"{machine} {step.resource.id}")

    def waiting(self, machine: str, step: Step, need: Need) -> None:
        self.lines.append(f"{machine} {step.resource.id} waits for {need[1]} on {need[0]}")
        self.someone_waits.set()

    def repeated(self, machine: str, step: Step, left: Mapping[str, str]) -> None:
        self.lines.append(f"{machine} {step.resource.id} again for {sorted(left)}")

    def finished(self, machine: str, step: Step, error: QuartetError | None) -> None:
        self.lines.append(f"{machine} {step.resource.id} {'failed' if error else 'done'}")


@dataclass
class Run:
    """One run of plans, with all there is to look at afterwards."""

    plans: Mapping[str, Sequence[tuple[str, Deed]]]
    unreached: Sequence[Need] = ()
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        self.hosts = {name: NoHost(name) for name in self.plans}

    def outcomes(self) -> list[Outcome]:
        plans = {
            name: MachinePlan(
                name, tuple(Step(role, deed, {"state": "bad"}) for role, deed in deeds), 10
            )
            for name, deeds in self.plans.items()
        }
        return apply(plans, self.hosts, self.unreached, self.log)


def _fails(kind: type[QuartetError] = QuartetError) -> Callable[[], None]:
    def fail() -> None:
        raise kind("a-01", "broken")

    return fail


def _counts(outcome: Outcome) -> tuple[int, int, int]:
    return (outcome.changed, outcome.failed, outcome.skipped)


def _started(run: Run) -> list[str]:
    return [line.split()[1] for line in run.log.lines if len(line.split()) == 2]


def test_nothing_to_do_is_done() -> None:
    assert Run({}).outcomes() == []
    outcome = Run({"a-01": []}).outcomes()[0]
    assert (outcome.unchanged, _counts(outcome)) == (10, (0, 0, 0))


def test_steps_of_a_machine_go_in_order() -> None:
    run = Run({"a-01": [("r", Deed(name)) for name in ("b", "c", "a")]})
    outcome = run.outcomes()[0]
    assert run.log.lines == [
        f"a-01 {name}{end}" for name in ("b", "c", "a") for end in ("", " done")
    ]
    assert (_counts(outcome), outcome.unchanged) == ((3, 0, 0), 7)


def test_state_is_read_again_after_each_step() -> None:
    run = Run({"a-01": [("r", Deed("x")), ("r", Deed("y"))]})
    run.outcomes()
    assert run.hosts["a-01"].reads == 2


def test_step_that_left_a_difference_fails_and_says_is_and_should_be() -> None:
    run = Run({"a-01": [("r", Deed("file x", left={"mode": "0600"}))]})
    outcome = run.outcomes()[0]
    assert _counts(outcome) == (0, 1, 0)
    text = str(outcome.errors[0])
    assert text.startswith("a-01: file x is not as it should be after the change")
    assert "mode is 0600, should be 0644" in text
    assert "./lab ssh a-01" in text


def test_step_is_done_again_where_what_it_did_is_gone() -> None:
    left = {"mode": "0600"}
    done: list[None] = []

    def do() -> None:
        done.append(None)
        if len(done) > 1:
            left.clear()

    run = Run({"a-01": [("r", Deed("x", do, left=left))]})
    assert _counts(run.outcomes()[0]) == (1, 0, 0)
    assert run.log.lines == ["a-01 x", "a-01 x again for ['mode']", "a-01 x done"]


def test_step_that_was_cut_off_is_done_again() -> None:
    left = {"mode": "0600"}
    errors: list[QuartetError] = [CutOffError("a-01", "ended early")]

    def do() -> None:
        if errors:
            raise errors.pop()
        left.clear()

    assert _counts(Run({"a-01": [("r", Deed("x", do, left=left))]}).outcomes()[0]) == (1, 0, 0)


def test_step_that_is_cut_off_twice_fails_with_that() -> None:
    def do() -> None:
        raise CutOffError("a-01", "ended early")

    outcome = Run({"a-01": [("r", Deed("x", do, left={"mode": "0600"}))]}).outcomes()[0]
    assert [str(error) for error in outcome.errors] == ["a-01: ended early"]


def test_step_is_not_done_a_third_time() -> None:
    done: list[None] = []
    run = Run({"a-01": [("r", Deed("x", lambda: done.append(None), left={"mode": "0600"}))]})
    assert _counts(run.outcomes()[0]) == (0, 1, 0)
    assert len(done) == 2


def test_failure_stops_its_own_role_only() -> None:
    deeds = [
        ("web", Deed("x")),
        ("web", Deed("y", _fails())),
        ("web", Deed("z")),
        ("dns", Deed("other")),
    ]
    run = Run({"a-01": deeds, "b-01": [("web", Deed("x"))]})
    a, b = run.outcomes()
    assert (_counts(a), _counts(b)) == ((2, 1, 1), (1, 0, 0))
    assert "a-01 z" not in run.log.lines
    assert "a-01 other done" in run.log.lines
    assert (len(a.errors), b.errors) == (1, [])


@pytest.mark.parametrize(
    "first",
    [
        Deed("packages", _fails(), blocks_machine=True),
        Deed("file", _fails(UnreachableError)),
    ],
    ids=["all the machine needs it", "the machine is lost"],
)
def test_some_failures_stop_the_machine_but_no_other(first: Deed) -> None:
    deeds = [("r", first), ("dns", Deed("x")), ("web", Deed("y"))]
    a, b = Run({"a-01": deeds, "b-01": [("r", Deed("x"))]}).outcomes()
    assert (_counts(a), _counts(b)) == ((0, 1, 2), (1, 0, 0))


def test_machines_run_side_by_side() -> None:
    barrier = threading.Barrier(4, timeout=DEADLINE_S)

    def meet() -> None:
        barrier.wait()

    outcomes = Run({f"m-{n}": [("r", Deed("x", meet))] for n in range(4)}).outcomes()
    assert [_counts(outcome) for outcome in outcomes] == [(1, 0, 0)] * 4


def test_ctrl_c_lets_steps_end_and_begins_no_other() -> None:
    begun = threading.Event()

    def press() -> None:
        assert begun.wait(DEADLINE_S)
        raise KeyboardInterrupt

    def take_long() -> None:
        begun.set()
        time.sleep(0.5)

    log = Log()
    deeds = [("r", Deed("now", take_long)), ("r", Deed("later"))]
    run = Run({"a-01": [("r", Deed("press", press))], "b-01": deeds}, log=log)
    with pytest.raises(KeyboardInterrupt):
        run.outcomes()
    assert "b-01 now done" in log.lines
    assert "b-01 later" not in log.lines


def test_outcomes_stand_in_the_plans_order() -> None:
    outcomes = Run({name: [] for name in ("c", "a", "b")}).outcomes()
    assert [outcome.machine for outcome in outcomes] == ["c", "a", "b"]


class TestNeeds:
    def test_step_waits_until_what_it_needs_is_reached(self) -> None:
        log = Log()
        order: list[str] = []

        def reach() -> None:
            assert log.someone_waits.wait(DEADLINE_S)
            order.append("needed")

        needy = Deed("needy", lambda: order.append("needy"), requires=(("a-01", "needed"),))
        run = Run({"a-01": [("r", Deed("needed", reach))], "b-01": [("r", needy)]}, log=log)
        assert [_counts(outcome) for outcome in run.outcomes()] == [(1, 0, 0)] * 2
        assert order == ["needed", "needy"]
        assert "b-01 needy waits for needed on a-01" in log.lines

    def test_what_is_as_it_should_be_is_not_waited_for(self) -> None:
        run = Run({"b-01": [("r", Deed("needy", requires=(("a-01", "needed"),)))]})
        assert _counts(run.outcomes()[0]) == (1, 0, 0)
        assert not run.log.someone_waits.is_set()

    def test_need_on_the_same_machine_is_reached_before(self) -> None:
        deeds = [("r", Deed("x")), ("r", Deed("y", requires=(("a-01", "x"),)))]
        assert _counts(Run({"a-01": deeds}).outcomes()[0]) == (2, 0, 0)

    @pytest.mark.parametrize(
        "before",
        [
            [("r", Deed("needed", _fails()))],
            [("r", Deed("earlier", _fails())), ("r", Deed("needed"))],
            [("q", Deed("earlier", _fails(), blocks_machine=True)), ("r", Deed("needed"))],
            [("q", Deed("earlier", _fails(UnreachableError))), ("r", Deed("needed"))],
            [("r", Deed("needed", left={"state": "bad"}))],
        ],
        ids=["it failed", "its role was given up", "its machine stopped", "lost", "still differs"],
    )
    def test_step_fails_at_once_when_its_need_will_not_be_reached(
        self, before: list[tuple[str, Deed]]
    ) -> None:
        needy = Deed("needy", requires=(("a-01", "needed"),))
        run = Run({"a-01": before, "b-01": [("r", needy), ("r", Deed("x")), ("q", Deed("y"))]})
        b = run.outcomes()[1]
        assert _counts(b) == (1, 0, 2)
        assert isinstance(b.errors[0], BlockedError)
        assert str(b.errors[0]).startswith("b-01: needs needed on a-01")
        assert "a-01" in b.errors[0].next_step
        assert "needy" not in _started(run)

    def test_need_outside_of_the_run_that_is_not_met_blocks_at_once(self) -> None:
        needy = Deed("needy", requires=(("a-01", "needed"),))
        run = Run({"b-01": [("r", needy)]}, unreached=[("a-01", "needed")])
        assert _counts(run.outcomes()[0]) == (0, 0, 1)

    def test_blocked_step_blocks_those_that_need_it(self) -> None:
        plans = {
            "a-01": [("r", Deed("one", _fails()))],
            "b-01": [("r", Deed("two", requires=(("a-01", "one"),)))],
            "c-01": [("r", Deed("three", requires=(("b-01", "two"),)))],
        }
        counts = [_counts(outcome) for outcome in Run(plans).outcomes()]
        assert counts == [(0, 1, 0), (0, 0, 1), (0, 0, 1)]

    def test_turn_is_waited_for_whether_it_went_well_or_not(self) -> None:
        log = Log()
        plans = {
            "a-01": [("r", Deed("one", _fails()))],
            "b-01": [("r", Deed("two", turn=(("a-01", "one"),)))],
        }
        a, b = Run(plans, log=log).outcomes()
        assert (_counts(a), _counts(b)) == ((0, 1, 0), (1, 0, 0))

    def test_unexpected_exception_surfaces_and_leaves_nobody_waiting(self) -> None:
        log = Log()
        met: list[str] = []

        def crash() -> None:
            assert log.someone_waits.wait(DEADLINE_S)
            raise ZeroDivisionError

        needy = Deed("needy", lambda: met.append("needy"), requires=(("a-01", "later"),))
        deeds = [("r", Deed("now", crash)), ("r", Deed("later"))]
        run = Run({"a-01": deeds, "b-01": [("r", needy), ("q", Deed("y"))]}, log=log)
        a, _ = run.outcomes()
        assert "ZeroDivisionError" in a.errors[0].what
        assert "bug" in a.errors[0].next_step
        assert met == []
        assert "b-01 y done" in log.lines
