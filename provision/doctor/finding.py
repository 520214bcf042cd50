"""What an examination finds: one line each, and the command that mends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether the system can work as it is: it can, it may not, it can't."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found there, and the next step, which an OK has none of."""

    name: str
    severity: Severity
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Finding:
    """All is well."""
    return Finding(name, Severity.OK, found)


def warning(name: str, found: str, mend: str) -> Finding:
    """It may work, or work badly, or couldn't be told."""
    return Finding(name, Severity.WARNING, found, mend)


def error(name: str, found: str, mend: str) -> Finding:
    """It won't work."""
    return Finding(name, Severity.ERROR, found, mend)


def has_error(findings: Iterable[Finding]) -> bool:
    """Tell whether one of them is an error."""
    return any(finding.severity is Severity.ERROR for finding in findings)
