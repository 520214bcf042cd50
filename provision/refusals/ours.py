"""What on a machine is ours: Quartet notes each file that it writes and each folder it makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from provision.resources import Fact, FactKind, Snapshot
from provision.resources.file import FILES
from provision.resources.stamps import OURS, was_ours


def note(path: str) -> Fact:
    """Whether a path is noted as ours."""
    return Fact(FILES, f"{OURS}{path}")


def facts(*paths: str) -> list[Fact]:
    """What has to be known to tell whether these are ours."""
    return [note(path) for path in paths]


def is_ours(snapshot: Snapshot, path: str) -> bool:
    """Whether Quartet made what is at this path.

    That /var/lib/quartet is there says nothing: a computer that boots labs keeps them in it.
    """
    return snapshot.get(note(path)) is not None


@dataclass(frozen=True)
class _Unless:
    """A question's shell text that is left out where all paths are ours; equal to its like."""

    script: Callable[[Sequence[str]], str]
    paths: tuple[str, ...]

    def __call__(self, keys: Sequence[str]) -> str:
        condition = " && ".join(map(was_ours, self.paths))
        return f"if {condition}; then :; else\n{self.script(keys)}\nfi"


def unless_ours(fact: Fact, *paths: str) -> Fact:
    """The same question, put only until all of these are ours: from then on it has no purpose.

    A run with nothing to do would spend more on such questions than on its own.
    """
    kind = fact.kind
    return Fact(FactKind(kind.name, _Unless(kind.script, paths), kind.parse), fact.key)
