"""Restoring on a database machine: what is sent there, what is asked for, what came of it."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provision.age import NAME, recipient_of
from provision.backups import agents
from provision.backups.agents import Report
from provision.backups.collecting import Collection, Survey
from provision.backups.history import Recipe
from provision.backups.records import Dump
from provision.backups.target import Target, told
from provision.console import say
from provision.errors import QuartetError
from provision.mysql.gtid import GtidSet
from provision.secrets import SecretStore

SOCKET = "/var/lib/dbbackup-scratch/run/mysqld.sock"
Result = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What becomes of the restored server: kept to look into, installed, compared, or removed."""

    target: Target
    include: GtidSet | None
    keep: bool = False
    install: bool = False
    sums: bool = False


class Restorer:
    """Restores with the key that is in this folder's secrets."""

    def __init__(self, archives: Collection, secrets_file: Path) -> None:
        self._archives = archives
        self._secrets = secrets_file

    def restore(self, found: Recipe, place: Report, wish: Wish) -> Result:
        """Send there what it lacks, restore it there, and return what is in it."""
        files = [found.dump.facts, *(step.log.facts for step in found.steps)]
        for facts in files:
            self._archives.shelf.check(facts)
        folder = secrets.token_hex(8)
        identity = self._identity(found.dump)
        request = {**_request(found, wish), "identity": identity, "sent": folder}
        say(f"restoring the dump of {told(found.dump.taken_at)} on {place.machine}")

        def action(host: agents.Machine) -> Result:
            for facts in files:
                if not place.has(facts):
                    agents.send(host, self._archives.shelf.path(facts), folder)
            stdin = json.dumps(request).encode()
            result: Result = agents.ask(host, "restore", stdin=stdin, hear=say)
            return result

        return self._archives.run(place.machine, action)

    def _identity(self, dump: Dump) -> str:
        identity = SecretStore(self._secrets).peek(NAME)
        if identity is None:
            raise QuartetError(
                str(self._secrets),
                f"has no {NAME!r}, the key to {dump.name}",
                "bring this file back from where you keep a copy of it",
            )
        if recipient_of(identity) != dump.facts["recipient"]:
            raise QuartetError(
                str(self._secrets),
                f"its {NAME!r} is not the key that {dump.name} was encrypted for",
                "bring back the file as it was then",
            )
        return identity


def place_for(survey: Survey, on: str) -> Report:
    """The machine to restore on: the named one, else a replica, else any."""
    if not on:
        return next(iter([*survey.replicas, *survey.reports]))
    for each in survey.reports:
        if each.machine == on:
            return each
    known = ", ".join(each.machine for each in survey.reports)
    raise QuartetError("--on", f"{on!r} is no database machine that answers", f"pick from {known}")


def tell(found: Recipe, result: Result) -> None:
    """Say what was restored, and where it ends."""
    last, stop = result["last"], result["stopped_before"]
    if found.is_foreign:
        say("note: the live databases do not have what is in these backups")
    say(f"restored from {found.dump.name} and {len(found.steps)} binary logs")
    if last:
        say(f"the last transaction from these logs: {last['gtid']}, committed {_when(last)}")
    if stop:
        say(f"the first that is not there: {stop['gtid']}, committed {_when(stop)}")
    for table, rows in result["rows"].items():
        say(f"  {table}: {rows} rows")


def say_how_to_look(place: Report) -> None:
    """Say how to look into a restored server that is kept."""
    say(f"look into it: ./lab ssh {place.machine} 'sudo mysql --socket={SOCKET}'")
    say("remove it: ./lab db.restore --drop")


def _request(found: Recipe, wish: Wish) -> dict[str, Any]:
    return {
        "dump": found.dump.facts,
        "logs": [{**step.log.facts, "exclude": str(step.exclude)} for step in found.steps],
        "include": None if wish.include is None or found.is_foreign else str(wish.include),
        "before_us": wish.target.before_us,
        "before_gtid": wish.target.before_gtid,
        "keep": wish.keep,
        "install": wish.install,
        "sums": wish.sums,
    }


def _when(transaction: dict[str, Any]) -> str:
    return told(datetime.fromtimestamp(transaction["committed_us"] / 1_000_000, UTC))
