"""What an event has at hand: the machines, the person at the keyboard, the writers' ledger."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from provision.drill.faults import Faults
from provision.drill.keyboard import Done, Operator
from provision.drill.ledger import Ledger
from provision.drill.tier import Tier
from provision.errors import QuartetError
from provision.polling import is_reached
from provision.topology import Topology

FLOWING_WITHIN_S = 5.0


@dataclass(frozen=True)
class Scene:
    """One trial's surroundings; `boot` starts what is switched off, `number` counts the trials."""

    topology: Topology
    tier: Tier
    faults: Faults
    operator: Operator
    boot: Callable[[], None]
    ledger: Ledger
    dice: random.Random
    number: int

    @property
    def is_automatic(self) -> bool:
        """Whether the agents fail over by themselves."""
        return self.topology.database.failover == "automatic"

    def flows(self, since: float, within_s: float = FLOWING_WITHIN_S) -> bool:
        """Whether a write that began after this moment is acknowledged within some seconds."""
        return is_reached(lambda: self.ledger.has_acknowledged_since(since), within_s=within_s)

    def stops(self, for_s: float, within_s: float) -> bool:
        """Whether no write is acknowledged any more, for so long."""

        def is_still() -> bool:
            return not self.ledger.has_acknowledged_since(time.monotonic() - for_s)

        return is_reached(is_still, within_s=within_s)

    def addresses_but(self, name: str) -> list[str]:
        """The private addresses of all other machines."""
        return [str(each.address) for each in self.topology.machines if each.name != name]

    def must(self, *words: str) -> Done:
        """Run a task that has to succeed for the drill to make sense."""
        done = self.operator.run(*words)
        if done.code != 0:
            raise QuartetError(done.command, f"failed, so the drill ends:\n{done.output}")
        return done
