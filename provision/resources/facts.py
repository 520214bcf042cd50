"""Facts: questions that one script answers for all resources of a machine in one round trip."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MARK = "--quartet-fact "


@dataclass(frozen=True)
class FactKind:
    """One kind of question: the shell text that answers it for many keys, and how to read that.

    The script must not write anything, and answers for a missing key by leaving it out.
    """

    name: str
    script: Callable[[Sequence[str]], str]
    parse: Callable[[str], Mapping[str, Any]]


@dataclass(frozen=True)
class Fact:
    """One question about a machine, such as the state of one file."""

    kind: FactKind
    key: str


class Snapshot:
    """What a machine answered."""

    def __init__(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        self._answers = answers

    def get(self, fact: Fact) -> Any:
        """The answer, or None where the machine has no such thing."""
        return self._answers.get(fact.kind.name, {}).get(fact.key)


def script_for(facts: Iterable[Fact]) -> str:
    """The one script that answers all of these questions."""
    parts = [
        f"printf '\\n{MARK}{kind.name}\\n'\n{kind.script(keys)}"
        for kind, keys in _by_kind(facts).items()
    ]
    return "\n".join([*parts, "true"])


def parse_answers(facts: Iterable[Fact], output: str) -> Snapshot:
    """Read what the script of `script_for` printed."""
    kinds = {fact.kind.name: fact.kind for fact in facts}
    answers = {}
    for section in output.split(f"\n{MARK}")[1:]:
        name, _, body = section.partition("\n")
        answers[name] = kinds[name].parse(body)
    return Snapshot(answers)


def _by_kind(facts: Iterable[Fact]) -> Mapping[FactKind, list[str]]:
    grouped: defaultdict[FactKind, list[str]] = defaultdict(list)
    for fact in dict.fromkeys(facts):
        grouped[fact.kind].append(fact.key)
    return grouped
