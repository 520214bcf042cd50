"""One trial: healthy machines, writers at work, an event, and healthy machines again."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from provision.console import say
from provision.drill.events import AUTOMATIC, EVENTS
from provision.drill.faults import Faults
from provision.drill.happening import Event, Strike
from provision.drill.keyboard import Operator
from provision.drill.ledger import Ledger, account, longest_pause
from provision.drill.machines import Machines
from provision.drill.overlap import longest_interval, most_at_once, open_stretches
from provision.drill.report import Row
from provision.drill.restoring import BY_HAND, mend_disks, require_health, restore
from provision.drill.sampler import Samplers
from provision.drill.scene import Scene
from provision.drill.tier import Tier
from provision.drill.wishes import Wish
from provision.drill.writer import Load, check_the_door
from provision.errors import QuartetError
from provision.lab import Lab, MachineState
from provision.topology import Topology

BEFORE_S = 1.0
AFTER_S = 1.0
RECOVERS_WITHIN_S = 90.0


class Drill:
    """All trials of one drill."""

    def __init__(
        self, topology: Topology, config: Path, lab: Lab, about: list[str], wish: Wish
    ) -> None:
        self._topology = topology
        self._machines = Machines(config)
        self._lab = lab
        self._about = about
        self._writers = wish.writers
        self._dice = random.Random(wish.seed)  # noqa: S311 nothing is guarded by it
        self._acted_at = float("-inf")

    def trial(self, name: str, number: int) -> Row:
        """Let one event happen to healthy machines, and leave healthy machines behind."""
        self._await_automatic(name)
        run_name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name}-{number}"
        say(f"{name} {number}: {EVENTS[name].__doc__}")
        with Ledger(ledgers(self._topology) / f"{run_name}.jsonl") as ledger:
            scene = self._scene(ledger, number)
            mend_disks(scene)
            require_health(scene)
            check_the_door(self._door, run_name)
            row = self._strike(scene, name, run_name)
        if name in AUTOMATIC:
            self._acted_at = time.monotonic()
        return row

    def _strike(self, scene: Scene, name: str, run_name: str) -> Row:
        event, tier = EVENTS[name](), scene.tier
        with Samplers(self._machines, tier.names) as samplers, _put_right(scene, event):
            event.prepare(scene)
            with Load(self._door, run_name, self._writers, scene.ledger) as load:
                strike, goes_on = _happen(scene, event)
        pause = longest_pause(scene.ledger.entries(), load.began, load.ended)
        writable = {name: open_stretches(own) for name, own in samplers.samples().items()}
        texts = tier.texts(tier.primary(), run_name)
        row = Row(
            event=name,
            trial=scene.number,
            account=account(scene.ledger.entries(), texts),
            pause_s=pause.seconds,
            goes_on=goes_on,
            writable_after_s=None if strike.since is None else max(0, pause.ended - strike.since),
            most_writable=most_at_once([each for own in writable.values() for each in own]),
            writable=writable,
            blind_s=longest_interval(samplers.samples()),
            note=strike.note,
            commands=scene.operator.done,
            ledger=str(scene.ledger.path),
        )
        if not row.faults():
            tier.forget(run_name)
        return row

    def _await_automatic(self, name: str) -> None:
        """After an automatic failover the agents do nothing by themselves for a while."""
        database = self._topology.database
        if name not in AUTOMATIC or database.failover != "automatic":
            return
        left_s = self._acted_at + database.failover_pause_s - time.monotonic()
        if left_s > 0:
            say(f"the agents fail over again in {left_s:.0f} s: database.failover_pause_s")
            time.sleep(left_s)

    def _scene(self, ledger: Ledger, number: int) -> Scene:
        return Scene(
            topology=self._topology,
            tier=Tier(self._topology, self._machines),
            faults=Faults(self._machines),
            operator=Operator(self._about),
            boot=self._boot,
            ledger=ledger,
            dice=self._dice,
            number=number,
        )

    def _boot(self) -> None:
        away = [n for n, state in self._lab.status().items() if state is MachineState.STOPPED]
        if away:
            self._lab.up(away)

    @property
    def _door(self) -> str:
        return f"http://{self._topology.front_address}:{self._topology.ports.http}"


def _happen(scene: Scene, event: Event) -> tuple[Strike, bool]:
    """Write, let it happen, write on; tells whether writes went on."""
    if not scene.flows(time.monotonic(), within_s=RECOVERS_WITHIN_S):
        raise QuartetError("the writers", "get nothing stored", "./lab verify")
    time.sleep(BEFORE_S)
    strike = event.strike(scene)
    goes_on = scene.flows(time.monotonic(), within_s=RECOVERS_WITHIN_S)
    time.sleep(AFTER_S)
    return strike, goes_on


@contextmanager
def _put_right(scene: Scene, event: Event) -> Iterator[None]:
    """Undo and restore whatever happens; where that fails, say what is left to do."""
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted: putting the machines right; Ctrl-C again leaves them as they are")
        raise
    finally:
        _undo_and_restore(scene, event)


def _undo_and_restore(scene: Scene, event: Event) -> None:
    try:
        try:
            event.undo(scene)
        except QuartetError:
            restore(scene)
            raise
        restore(scene)
    except KeyboardInterrupt as error:
        raise QuartetError("drill", "the machines were left as they are", BY_HAND) from error


def ledgers(topology: Topology) -> Path:
    """Where the ledgers are kept."""
    return topology.state_folder / "drill"
