"""Units: programs that go on after the command that started them, each in a cgroup of its own.

The cgroup tells what runs, and ending it ends everything in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from provision.lab.cgroup import Cgroup


@dataclass(frozen=True)
class Limits:
    """What a machine may use of its host, where the host can hold it to that."""

    memory_mb: int
    cpus: int


class Launcher(Protocol):
    """Starts units of one lab and finds them again."""

    def start(
        self, unit: str, argv: Sequence[str], log: Path, limits: Limits | None = None
    ) -> None:
        """Start a program that outlives us; 133 as its exit status starts it again."""

    def call(self, unit: str, argv: Sequence[str], log: Path) -> int:
        """Run a program to its end and return its exit status."""

    def cgroup(self, unit: str) -> Cgroup:
        """Return the cgroup that holds a unit, running or not."""

    def units(self) -> list[str]:
        """Name the units of this lab that left a trace."""

    def clean(self, unit: str) -> None:
        """Remove what an ended unit left behind."""

    def close(self) -> None:
        """Remove what the lab's units had in common; all of them must be cleaned."""
