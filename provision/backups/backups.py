"""The four commands: take a backup, list them, restore one, verify the last one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provision.backups import agents, new_primary
from provision.backups.agents import Report
from provision.backups.collecting import Collection, Survey
from provision.backups.comparing import compare
from provision.backups.history import Recipe, recipe
from provision.backups.records import Dump
from provision.backups.restoring import Restorer, Result, Wish, place_for, say_how_to_look, tell
from provision.backups.shelf import Shelf
from provision.backups.table import print_dumps
from provision.backups.target import Target, target_of, told
from provision.console import say
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.lab.client import make_folder
from provision.lab.lock import lab_lock
from provision.mysql.gtid import GtidSet
from provision.topology import Topology


class Backups:
    """The backups of a system, on its machines and in its folder on this computer."""

    def __init__(self, topology: Topology, fleet: Fleet, folder: Path) -> None:
        self._folder = folder
        self._shelf = Shelf(folder / "backups")
        self._archives = Collection(topology, fleet, self._shelf)
        self._restorer = Restorer(self._archives, folder / "secrets.json")

    def backup(self) -> None:
        """Dump the databases now, and copy that and the newest binary logs here."""
        with self._alone("db.backup"):
            self._backup(self._surveyed())

    def list(self) -> None:
        """Show the dumps here and on the machines."""
        survey = self._archives.survey()
        print_dumps(survey.reports, self._shelf)
        for failure in survey.failures:
            say(f"not asked: {failure}")

    def restore(self, at: str, before_gtid: str, on: str, *, keep: bool) -> None:
        """Restore into a scratch server, and say what is in it and how to look into it."""
        target = target_of(at, before_gtid, datetime.now(UTC))
        say(f"wanted: {target}")
        with self._alone("db.restore"):
            survey = self._collected(self._surveyed())
            place = place_for(survey, on)
            wish = Wish(target, survey.executed, keep=keep)
            self._restored(place, wish)
        if keep:
            say_how_to_look(place)

    def restore_to_primary(self, at: str, before_gtid: str, on: str, *, replace: bool) -> None:
        """Restore in the place of the live databases; a backup of these is taken first."""
        target = target_of(at, before_gtid, datetime.now(UTC))
        say(f"wanted, as the new primary: {target}")
        with self._alone("db.restore"):
            survey = self._surveyed()
            if not replace:
                new_primary.refuse_to_replace(survey)
            place = place_for(survey, on or (survey.primary or survey.reports[0]).machine)
            if survey.primary or survey.replicas:
                self._backup(survey)
            survey = self._collected(survey)
            self._restored(place, Wish(target, survey.executed, install=True))
            new_primary.install(self._archives, survey, place)
            self._backup(self._surveyed())
        new_primary.say_what_is_left(survey, place)

    def verify(self) -> None:
        """Restore the newest dump, carry it on to a live server's state, and compare all tables.

        So it is shown that the dump can be read with our key and loaded, and that with the archived
        binary logs it makes exactly what the live server has: the same checksum for each table.
        """
        with self._alone("db.verify-backup"):
            survey = self._surveyed()
            best = survey.best()
            live = self._ask(best, "sums")
            survey = self._collected(survey)
            wish = Wish(Target(), GtidSet(live["executed"]), sums=True)
            found, result = self._restored(place_for(survey, ""), wish)
            compare(live, result, best, found)
            self._shelf.note_verified(found.dump, _note(live, best))
        say(f"{found.dump.name}: verified, {len(live['sums'])} tables as on {best.machine}")

    def drop(self) -> None:
        """Remove restored servers that were kept."""
        kept = [each.machine for each in self._archives.survey().reports if each.kept]
        for machine in kept:
            self._archives.run(machine, lambda host: agents.ask(host, "drop"))
        say(f"removed from {', '.join(kept)}" if kept else "there is none")

    @contextmanager
    def _alone(self, action: str) -> Iterator[None]:
        make_folder(self._folder)
        with lab_lock(self._folder / "backups.lock", action):
            yield

    def _surveyed(self) -> Survey:
        """Ask all machines, once what a new primary has replaced is set aside."""
        survey = self._archives.survey()
        return self._archives.survey() if new_primary.finish(self._archives, survey) else survey

    def _backup(self, survey: Survey) -> None:
        best = survey.best()
        say(f"dumping {best.machine} ({best.role})")
        taken = Dump.from_facts(self._ask(best, "dump"))
        self._collected(survey)
        say(f"{self._shelf.path(taken.facts)}: {taken.size} bytes, of {told(taken.taken_at)}")
        say(f"up to {taken.gtid}")

    def _collected(self, survey: Survey) -> Survey:
        """Have the newest binary logs archived, and copy everything here."""
        after = self._archives.archive(survey)
        self._archives.copy(after)
        for failure in after.failures:
            say(f"without the archive of {failure}")
        return after

    def _ask(self, report: Report, *words: str) -> Any:
        return self._archives.run(report.machine, lambda host: agents.ask(host, *words, hear=say))

    def _restored(self, place: Report, wish: Wish) -> tuple[Recipe, Result]:
        if place.kept:
            raise QuartetError(
                place.machine, "a restored server is kept there", "./lab db.restore --drop"
            )
        found = recipe(self._shelf.dumps(), self._shelf.logs(), wish.target, wish.include)
        result = self._restorer.restore(found, place, wish)
        tell(found, result)
        return found, result


def _note(live: Result, best: Report) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "against": best.machine,
        "gtid": live["executed"],
        "tables": len(live["sums"]),
    }
