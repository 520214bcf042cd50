"""The plan: what a machine should have, minus what it has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provision.resources import Resource, Snapshot, changed_keys

TRIGGERED = "triggered"


@dataclass(frozen=True)
class Step:
    """One resource that is not as it should be; `changes` has the actual values that differ."""

    role: str
    resource: Resource
    changes: Mapping[str, str]

    @property
    def interrupts(self) -> bool:
        """Whether something that works now is interrupted, as by the restart of a service."""
        return "active" not in self.changes and not self.is_new

    @property
    def is_new(self) -> bool:
        """Whether the machine has nothing of it yet."""
        return "absent" in self.changes.values()


@dataclass(frozen=True)
class MachinePlan:
    """The steps that bring one machine to its desired state, in the order of work."""

    machine: str
    steps: tuple[Step, ...]
    resources: int

    @property
    def unchanged(self) -> int:
        """How many of the machine's resources are as they should be."""
        return self.resources - len(self.steps)

    def has_step(self, resource_id: str) -> bool:
        """Whether this resource is not as it should be."""
        return any(step.resource.id == resource_id for step in self.steps)


def plan_machine(
    machine: str, desired: Sequence[tuple[str, Resource]], snapshot: Snapshot
) -> MachinePlan:
    """Compare the desired resources, each with its role, with what the machine answered."""
    steps: dict[str, Step] = {}
    for role, resource in desired:
        changes = changed_keys(resource, snapshot) | _triggered(resource, steps)
        if changes:
            steps[resource.id] = Step(role, resource, changes)
    return MachinePlan(machine, tuple(steps.values()), len(desired))


def _triggered(resource: Resource, changed: Iterable[str]) -> dict[str, str]:
    pulled = sorted(set(resource.triggers) & set(changed))
    return {TRIGGERED: "\n".join(pulled)} if pulled else {}
