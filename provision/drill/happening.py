"""What every event is made of: something befalls the data tier, and a person reacts."""

import time
from dataclasses import dataclass

from provision.drill.keyboard import Done
from provision.drill.scene import Scene


@dataclass(frozen=True)
class Strike:
    """What happened.

    `since` (monotonic) is when the way back to writing began: the command or, without one, the
    fault. It is None where there should be no outage.
    """

    since: float | None
    note: str


class Event:
    """One event of one trial; `undo` also runs where the other two were cut short."""

    def prepare(self, scene: Scene) -> None:
        """What has to be so before the writers begin."""

    def strike(self, scene: Scene) -> Strike:
        """Let it happen, and do what a person would do about it."""
        raise NotImplementedError

    def undo(self, scene: Scene) -> None:
        """Take back what isn't put right by booting, rejoining and provisioning."""


def take_over(scene: Scene, fault_began: float, note: str) -> Strike:
    """Fail over by the command, or leave it to the agents where the topology says so."""
    if scene.is_automatic:
        return Strike(fault_began, f"{note}; automatic failover")
    done = scene.operator.run("db.failover")
    return Strike(done.began, f"{note}; {told(done)}")


def repeat_unless_writable(scene: Scene, *words: str) -> str:
    """What one repeat of the command said, where it was needed."""
    if scene.flows(time.monotonic()):
        return "; no repeat needed"
    return f"; repeated: {told(scene.operator.run(*words))}"


def told(done: Done) -> str:
    """One line on a command: how long it took, and its error if it failed."""
    if done.code == 0:
        return f"{done.command} {done.seconds:.1f} s"
    error = next((line for line in done.output.splitlines() if "error" in line), "no word")
    return f"{done.command} failed: {error.strip()}"
