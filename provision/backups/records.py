"""What is known of an archived file, from the JSON beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from provision.mysql.gtid import GtidSet

Facts = Mapping[str, Any]
DUMP = "dump"
LOG = "log"


@dataclass(frozen=True)
class Dump:
    """A dump, of everything that its server had executed; taken no later than `taken_at`."""

    name: str
    machine: str
    taken_at: datetime
    gtid: GtidSet
    size: int
    facts: Facts = field(repr=False)

    @classmethod
    def from_facts(cls, facts: Facts) -> "Dump":
        """Type what the JSON holds."""
        return cls(
            facts["name"],
            facts["machine"],
            moment(facts["taken_at"]),
            GtidSet(facts["gtid"]),
            facts["size"],
            facts,
        )


@dataclass(frozen=True)
class Log:
    """A closed binary log: all transactions of its server before it, and after it."""

    name: str
    machine: str
    begun_at: datetime
    ended_at: datetime
    before: GtidSet
    after: GtidSet
    facts: Facts = field(repr=False)

    @classmethod
    def from_facts(cls, facts: Facts) -> "Log":
        """Type what the JSON holds."""
        return cls(
            facts["name"],
            facts["machine"],
            moment(facts["begun_at"]),
            moment(facts["ended_at"]),
            GtidSet(facts["before"]),
            GtidSet(facts["after"]),
            facts,
        )


def moment(text: str) -> datetime:
    """A moment as the machines write it: 2026-11-21T18:00:00Z."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
