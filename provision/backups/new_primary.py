"""Putting a restored state into the place of the live databases.

Nothing is deleted: what is replaced stays on its machine as /var/lib/mysql.before-TIME, and where a
server can still be asked, a fresh backup is taken first. The other servers are stopped, since what
they have is of another history now; `./lab provision --reclone` clones them anew. Archives of that
other history are set aside, on the machines and here, in before-TIME: its GTIDs may come again.
A note here tells that this is to do, and the new primary's own archive that it has become one: a
command that was cut off in between is finished by the next one about backups.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from provision.backups import agents
from provision.backups.agents import Report
from provision.backups.collecting import Collection, Survey
from provision.console import say
from provision.errors import QuartetError


def refuse_to_replace(survey: Survey) -> None:
    """Raise QuartetError where a server lives that has data, or can't be asked whether it does."""
    living = [f"{each.machine} ({each.role})" for each in survey.reports if each.server["answers"]]
    silent = [f"{each.where} (can't be asked)" for each in survey.failures]
    if living or silent:
        raise QuartetError(
            ", ".join([*living, *silent]),
            "may have newer data, which would be replaced by an older state; nothing was changed",
            "restore beside it first (--keep, without --to-primary) and look; to replace it, say"
            " --replace as well",
        )


def install(archives: Collection, survey: Survey, place: Report) -> None:
    """Make the restored data on that machine the primary's, and stop all other servers.

    What is older is still to be set aside then: by `finish`.
    """
    others = [each.machine for each in survey.reports if each.machine != place.machine]
    _everywhere(archives, [place.machine, *others], "stop", "--agent-alone")
    # The old primary first: without replicas its commits would wait for ever, and its end for them.
    old = [each.machine for each in survey.reports if each.role == "primary"]
    _everywhere(archives, dict.fromkeys([*old, place.machine, *others]), "stop")
    note = {"machine": place.machine, "history": place.history, "others": others}
    archives.shelf.note_new_primary(note)
    kept = archives.run(place.machine, lambda host: agents.ask(host, "install"))["kept"]
    say(f"{place.machine} is primary and takes writes; what it had is in {kept}")


def finish(archives: Collection, survey: Survey) -> bool:
    """Set aside what is older than the last new primary, if that is still to do; whether it was.

    A machine that was noted, but on which nothing was installed, has the same history as then.
    """
    note = archives.shelf.new_primary()
    if note is None:
        return False
    histories = {each.machine: each.history for each in survey.reports}
    begun = histories.get(note["machine"])
    if begun is None:
        say(f"note: {note['machine']} can't be asked whether a restore has made it primary")
    if not begun or begun == note["history"]:
        return False
    others = [machine for machine in note["others"] if machine in histories]
    _everywhere(archives, others, "set-aside", "--history", begun)
    archives.shelf.set_aside(datetime.now(UTC), begun)
    say("older backups are set aside, here and on the machines, in folders before-TIME")
    return True


def say_what_is_left(survey: Survey, place: Report) -> None:
    """Say what the person has to do now."""
    others = [each.machine for each in survey.reports if each.machine != place.machine]
    others += [each.where for each in survey.failures]
    if others:
        say(f"stopped: {', '.join(others)}")
        say(f"next: ./lab provision --reclone {','.join(others)}")


def _everywhere(archives: Collection, machines: Iterable[str], *words: str) -> None:
    for machine in machines:
        archives.run(machine, lambda host: agents.ask(host, *words))
