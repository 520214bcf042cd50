"""What every resource has: an identity, the facts that it needs, a desired and an actual state."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Protocol

from provision.errors import QuartetError
from provision.resources.facts import Fact, Snapshot

State = Mapping[str, str]


class Host(Protocol):
    """A machine as a resource sees it: root scripts go in, answers come out."""

    @property
    def name(self) -> str:
        """The machine's name in topology.yml."""

    def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 60) -> str:
        """Run a root shell script and return what it printed; CommandFailedError if it failed."""

    def read(self, facts: Iterable[Fact]) -> Snapshot:
        """Ask all questions in one round trip."""


class CheckFailedError(QuartetError):
    """A program rejected a configuration that was made for it; the live one was not touched."""


class Resource(ABC):
    """One thing that a machine should have, in the state that it should be in.

    `requires` names resources of other machines, as (machine, resource id), that must be reached
    first; `after` names some that must not fail before it where the run changes them, and don't
    matter where it doesn't; `turn` names some that are done first, well or not, where this one
    interrupts something that works; `triggers` names resources of this machine whose change makes
    this one act again.
    """

    requires: tuple[tuple[str, str], ...] = ()
    after: tuple[tuple[str, str], ...] = ()
    turn: tuple[tuple[str, str], ...] = ()
    triggers: tuple[str, ...] = ()
    blocks_machine: bool = False
    """Whether nothing else on the machine makes sense after this one failed."""

    @property
    @abstractmethod
    def id(self) -> str:
        """Unique on its machine, and readable: 'file /etc/hosts'."""

    @abstractmethod
    def facts(self) -> tuple[Fact, ...]:
        """What must be known of the machine to tell the actual state."""

    @abstractmethod
    def desired(self) -> State:
        """The state that the machine should have."""

    @abstractmethod
    def actual(self, snapshot: Snapshot) -> State:
        """The state that the machine has, under the same keys."""

    @abstractmethod
    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        """Bring the machine from its actual to the desired state.

        `changes` holds the actual values that differ, and 'triggered' where a trigger did.
        """

    def effects(self, changes: Mapping[str, str]) -> list[str]:
        """What a plan says of `changes`, in short lines: by default is and should be.

        What changes alike is told in one line.
        """
        desired = self.desired()
        alike: dict[str, list[str]] = {}
        for key in filter(desired.__contains__, changes):
            alike.setdefault(f"{changes[key]} → {desired[key]}", []).append(key)
        return [f"{', '.join(keys)}: {change}" for change, keys in alike.items()]


def changed_keys(resource: Resource, snapshot: Snapshot) -> dict[str, str]:
    """The actual values, under their keys, that are not as desired."""
    actual = resource.actual(snapshot)
    return {
        key: actual.get(key, "absent")
        for key, value in resource.desired().items()
        if actual.get(key, "absent") != value
    }
