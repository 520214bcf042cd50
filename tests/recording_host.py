"""A Host that writes down what it is asked and runs nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from provision.errors import QuartetError
from provision.mysql.sql import ALL_DONE
from provision.mysql.state import MYSQL, DatabaseState
from provision.resources import Fact, Snapshot


@dataclass(frozen=True)
class Call:
    """One script, with what was fed to it."""

    script: str
    stdin: str
    timeout_s: float


def database(state: DatabaseState) -> Snapshot:
    """What a machine with this database server answers."""
    return Snapshot({MYSQL.name: {"server": state}})


class RecordingHost:
    """Answers scripts by `answer` (nothing by default), and questions by `snapshots` in turn.

    The last snapshot stands for all further questions.
    """

    def __init__(
        self,
        *snapshots: Snapshot,
        name: str = "web-02",
        answer: Callable[[str, str], str | QuartetError] = lambda script, stdin: "",
    ) -> None:
        self.name = name
        self.calls: list[Call] = []
        self._answer = answer
        self._snapshots = list(snapshots)

    def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 60) -> str:
        text = stdin.decode(errors="replace")
        self.calls.append(Call(script, text, timeout_s))
        answer = self._answer(script, text)
        if isinstance(answer, QuartetError):
            raise answer
        return f"{answer}{ALL_DONE}\n" if ALL_DONE in text else answer

    def read(self, facts: Iterable[Fact]) -> Snapshot:
        assert list(facts)
        return self._snapshots.pop(0) if len(self._snapshots) > 1 else self._snapshots[0]

    @property
    def statements(self) -> list[str]:
        """All SQL that was run, a statement an entry."""
        sql = [call.stdin for call in self.calls if "mysql --no-defaults" in call.script]
        return [
            line
            for text in sql
            for line in text.replace("\n", " ").split("; ")
            if line.strip() and ALL_DONE not in line
        ]


def positions(statements: Sequence[str], *beginnings: str) -> list[int]:
    """Where the first statement with each beginning stands."""
    return [
        next(at for at, text in enumerate(statements) if text.startswith(beginning))
        for beginning in beginnings
    ]
