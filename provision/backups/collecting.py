"""Bringing the machines' archives together here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from provision.backups import agents
from provision.backups.agents import Report
from provision.backups.records import Dump, Facts, Log
from provision.backups.shelf import Shelf
from provision.console import say
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.mysql.gtid import GtidSet
from provision.topology import Topology

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Survey:
    """What the database machines said, in the topology's order, and who could not be asked."""

    reports: tuple[Report, ...]
    failures: tuple[QuartetError, ...] = ()

    @property
    def primary(self) -> Report | None:
        """Who takes writes."""
        return next((each for each in self.reports if each.role == "primary"), None)

    @property
    def executed(self) -> GtidSet | None:
        """All transactions of the primary; None where there is none."""
        return GtidSet(self.primary.server["executed"]) if self.primary else None

    @property
    def replicas(self) -> list[Report]:
        """The usable ones."""
        return [each for each in self.reports if each.role == "replica" and each.is_usable]

    def best(self) -> Report:
        """Where to work: the first usable replica, else the primary; QuartetError if neither."""
        for each in (*self.replicas, *([self.primary] if self.primary else [])):
            return each
        raise QuartetError(
            "the databases",
            "none is usable: no replica replicates, and there is no primary"
            + "".join(f"\n- {each}" for each in self.failures),
            "./lab db.status",
        )


class Collection:
    """The archives of all database machines, and their copies here."""

    def __init__(self, topology: Topology, fleet: Fleet, shelf: Shelf) -> None:
        self._fleet = fleet
        self._names = [machine.name for machine in topology.databases]
        self._keep_days = topology.backups.keep_days
        self.shelf = shelf

    def survey(self) -> Survey:
        """Ask all machines; QuartetError where none can be asked."""
        answers = self._fleet.each(dict.fromkeys(self._names), lambda host, _: agents.report(host))
        reports = tuple(each for each in answers.values() if isinstance(each, Report))
        failures = tuple(each for each in answers.values() if isinstance(each, QuartetError))
        if not reports:
            reasons = "".join(f"\n- {each}" for each in failures)
            raise QuartetError("the databases", f"no machine can be asked{reasons}", "./lab status")
        return Survey(reports, failures)

    def archive(self, survey: Survey) -> Survey:
        """Have all machines archive what they have by now, and ask them again."""
        words = {each.machine: self._archive_words(each, survey) for each in survey.reports}
        answers = self._fleet.each(words, lambda host, each: agents.ask(host, *each))
        for each in answers.values():
            if isinstance(each, QuartetError):
                say(f"could not archive its newest binary log: {each}")
        return self.survey()

    def copy(self, survey: Survey) -> None:
        """Fetch what is not here yet, and drop what is too old."""
        self.shelf.clean()
        now = datetime.now(UTC)
        oldest = now - timedelta(days=self._keep_days)
        self._each(survey, lambda each: _recent(each.dumps, oldest))
        # Now that the dumps are known, so is how far back their logs go.
        self._each(survey, lambda each: _wanted(each.logs, self.shelf))
        self.shelf.prune(self._keep_days, now)

    def run(self, machine: str, action: Callable[[agents.Machine], Answer]) -> Answer:
        """Do something on one machine; its error is raised."""
        answer = self._fleet.each({machine: None}, lambda host, _: action(host))[machine]
        if isinstance(answer, QuartetError):
            raise answer
        return answer

    def _archive_words(self, report: Report, survey: Survey) -> list[str]:
        words = ["archive"]
        if report.role == "replica" and report.is_usable and survey.primary:
            words += ["--until", str(survey.executed)]
        return [*words, *(["--force"] if not survey.replicas else [])]

    def _each(self, survey: Survey, chosen: Callable[[Report], Iterable[Facts]]) -> None:
        wanted = {
            each.machine: [facts for facts in chosen(each) if not self.shelf.has(facts)]
            for each in survey.reports
        }
        answers = self._fleet.each(wanted, self._fetch)
        for each in answers.values():
            if isinstance(each, QuartetError):
                raise each

    def _fetch(self, host: agents.Machine, wanted: list[Facts]) -> None:
        for facts in wanted:
            self.shelf.add(facts, lambda take, f=facts: agents.fetch(host, f, take))  # type: ignore[misc]


def _recent(dumps: Iterable[Facts], oldest: datetime) -> list[Facts]:
    return [each for each in dumps if Dump.from_facts(each).taken_at >= oldest]


def _wanted(logs: Iterable[Facts], shelf: Shelf) -> list[Facts]:
    return [each for each in logs if shelf.wants(Log.from_facts(each))]
