"""Backups: made without anybody's doing, readable to nobody on the machines, and not too old."""

import json
import time
from datetime import datetime

import pytest

from checks import services
from checks.expectations import expect, expect_equal
from checks.lab import Lab
from provision.topology import Machine

DAY_S = 86_400
TRIES = 3
DUMP_AT_MOST_S = 2 * DAY_S
ARCHIVE = "/var/backups/quartet"

pytestmark = [
    pytest.mark.area("backups"),
    pytest.mark.look("journalctl -u dbbackup -n 50"),
]


def test_programs_are_installed(lab: Lab, database: Machine) -> None:
    services.expect_installed(lab, database, "age", "zstd")


def test_timer_runs_now_and_after_a_boot(lab: Lab, database: Machine) -> None:
    timer = timer_of(lab, database)
    found = (timer["ActiveState"], timer["UnitFileState"])
    expect_equal("dbbackup.timer, now and at boot", found, ("active", "enabled"))


def test_last_run_ended_well(lab: Lab, database: Machine) -> None:
    """Whether it is well, or on its way again after it met a restart of MySQL."""
    lines = lab.facts[database.name]["backup run"].lines
    run = dict(line.split("=", 1) for line in lines)
    is_tried_again = run["ActiveState"] == "activating" and int(run["NRestarts"]) < TRIES
    result = "success" if is_tried_again else run["Result"]
    expect_equal("its last run", result, "success")


@pytest.mark.look(f"ls -la {ARCHIVE}")
def test_archive_is_roots_alone(lab: Lab, database: Machine) -> None:
    lines = lab.facts[database.name]["backup folders"].lines
    rows = [line.rsplit(" ", 2) for line in lines if line.startswith(ARCHIVE)]
    expect_equal(
        "folders that others can read", {r[0] for r in rows if r[1:] != ["700", "root"]}, set()
    )


@pytest.mark.look(f"ls -la {ARCHIVE}/logs")
def test_what_is_archived_is_encrypted(lab: Lab, database: Machine) -> None:
    found = set(lab.facts[database.name]["archived in the clear"].lines)
    expect_equal("files that are not encrypted", found, set())


def test_key_to_the_backups_is_on_no_machine(lab: Lab, database: Machine) -> None:
    expect_equal("files with a key", set(lab.facts[database.name]["backup keys"].lines), set())


def test_newest_dump_is_not_too_old(lab: Lab) -> None:
    """On a new system, or after a boot of all machines, the timer gets a day to make one."""
    reached = [each for each in lab.topology.databases if each.name in lab.facts]
    dumps = [dump for each in reached if (dump := newest_dump(lab, each)) is not None]
    running_s = max((timer_age_s(lab, each) for each in reached), default=0.0)
    age_s = min((time.time() - dump for dump in dumps), default=float("inf"))
    expect(
        age_s < DUMP_AT_MOST_S or running_s < DAY_S,
        expected=f"a dump of the last {DUMP_AT_MOST_S // DAY_S} days on some database machine",
        found=f"one that is {age_s / DAY_S:.1f} days old" if dumps else "none",
    )


def timer_of(lab: Lab, machine: Machine) -> dict[str, str]:
    """Return what systemd says of the timer."""
    lines = lab.facts[machine.name]["backup timer"].lines
    return dict(line.split("=", 1) for line in lines if "=" in line)


def timer_age_s(lab: Lab, machine: Machine) -> float:
    """Return for how long the timer has been running."""
    began = timer_of(lab, machine).get("ActiveEnterTimestamp", "").lstrip("@")
    return time.time() - float(began) if began else 0.0


def newest_dump(lab: Lab, machine: Machine) -> float | None:
    """Return when the newest dump on the machine was taken, in seconds since 1970."""
    text = lab.facts[machine.name]["newest dump"].text
    return (
        datetime.fromisoformat(json.loads(text)["taken_at"]).timestamp() if text.strip() else None
    )
