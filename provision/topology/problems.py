"""What is wrong in a topology file: where it stands, and what would be right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.errors import QuartetError

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One mistake: `path` is dotted, like machines.web-02.address; `line` counts from 1."""

    path: str
    line: int | None
    message: str

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        place = ", ".join(part for part in (line, self.path) if part)
        return f"{place}: {self.message}" if place else self.message


class TopologyError(QuartetError):
    """The topology file can't be used; `problems` holds every mistake in it, in file order."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        listed = "".join(f"\n  {problem}" for problem in self.problems)
        what = f"{count} mistake{'s' if count > 1 else ''}{listed}"
        super().__init__(path.name, what, f"correct {path}, then run the same command again")


@dataclass(frozen=True)
class Finding:
    """A mistake as a check sees it, before its line in the file has been looked up."""

    location: Location
    message: str
    line: int | None = None


def located(findings: Iterable[Finding], lines: Mapping[Location, int]) -> list[Problem]:
    """Turn findings into problems in the order of the file, each once."""
    problems = dict.fromkeys(_problem(finding, lines) for finding in findings)
    return sorted(problems, key=lambda problem: problem.line or 0)


def _problem(finding: Finding, lines: Mapping[Location, int]) -> Problem:
    # An item of a list is named in its message; its index would only have to be counted.
    path = ".".join(part for part in finding.location if isinstance(part, str))
    return Problem(path, finding.line or _line(finding.location, lines), finding.message)


def _line(location: Location, lines: Mapping[Location, int]) -> int | None:
    # What is missing has no line of its own: the nearest block around it has one.
    while location and location not in lines:
        location = location[:-1]
    return lines[location] if location else None
