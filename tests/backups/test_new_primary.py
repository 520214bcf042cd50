"""A restored state in the place of the live databases, and commands that are cut off in it."""

import json
import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from provision.backups import Backups, new_primary
from provision.backups.collecting import Collection
from provision.backups.shelf import Shelf
from provision.errors import QuartetError
from provision.fleet import Fleet
from tests.backups.parts import CONTENT, A, B, Machine, dump_facts
from tests.backups.test_collecting import MachinesAsFleet, server
from tests.site_parts import TOPOLOGY


class CutOffError(Exception):
    """The command that was at work is dead."""


class Database(Machine):
    """A database machine that remembers what its archive's history is."""

    def __init__(self, name: str) -> None:
        super().__init__(name, {})
        self.history = ""
        self.commands: list[str] = []
        self.dies_before: str | None = None
        self.dies_after: str | None = None

    def stream(
        self,
        script: str,
        take: Callable[[bytes], object],
        *,
        stdin: Iterable[bytes] = (),
        timeout_s: float = 60,
    ) -> None:
        command, *options = shlex.split(script.partition("--beat ")[2])
        self.commands.append(command)
        if command == self.dies_before:
            raise CutOffError
        if command in ("install", "set-aside"):
            self.history = B if command == "install" else options[1]
        if command == self.dies_after:
            raise CutOffError
        take(json.dumps(self._answer()).encode() + b"\n")

    def _answer(self) -> dict[str, object]:
        said = {"server": server("fenced"), "dumps": [], "logs": [], "history": self.history}
        return {**said, "kept": False}


def copy(take: Callable[[bytes], object]) -> None:
    take(CONTENT)


class Site:
    """Three database machines, and a shelf that has a dump of the history so far."""

    def __init__(self, folder: Path) -> None:
        self.machines = {name: Database(name) for name in ("web-01", "web-02", "db-03")}
        self.folder = folder
        self.shelf = Shelf(folder / "backups")
        self.shelf.add(dump_facts(5, f"{A}:1-10"), copy)

    @property
    def fleet(self) -> Fleet:
        return cast("Fleet", MachinesAsFleet(*self.machines.values()))

    @property
    def histories(self) -> list[str]:
        return [each.history for each in self.machines.values()]

    def install(self) -> None:
        """As `db.restore --to-primary` does, on web-01."""
        archives = Collection(TOPOLOGY, self.fleet, self.shelf)
        survey = archives.survey()
        new_primary.install(archives, survey, survey.reports[0])
        new_primary.finish(archives, archives.survey())

    def finish(self) -> bool:
        """As the next command does."""
        archives = Collection(TOPOLOGY, self.fleet, self.shelf)
        return new_primary.finish(archives, archives.survey())

    def is_set_aside(self) -> bool:
        return not self.shelf.dumps() and self.shelf.new_primary() is None


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_older_backups_are_set_aside_everywhere(site: Site) -> None:
    site.install()
    assert site.histories == [B, B, B]
    assert site.is_set_aside()
    assert not site.finish()


@pytest.mark.parametrize(
    ("machine", "moment"),
    [("web-01", "dies_after install"), ("web-02", "dies_before set-aside"),
     ("web-02", "dies_after set-aside"), ("db-03", "dies_before set-aside")],
)  # fmt: skip
def test_next_command_finishes_what_was_cut_off(site: Site, machine: str, moment: str) -> None:
    when, command = moment.split()
    setattr(site.machines[machine], when, command)
    with pytest.raises(CutOffError):
        site.install()
    assert site.shelf.dumps()
    setattr(site.machines[machine], when, None)
    assert site.finish()
    assert site.histories == [B, B, B]
    assert site.is_set_aside()
    assert site.machines["web-01"].commands.count("install") == 1


@pytest.mark.parametrize("command", ["stop", "install"])
def test_nothing_is_set_aside_for_what_was_never_installed(site: Site, command: str) -> None:
    site.machines["web-01"].dies_before = command
    with pytest.raises(CutOffError):
        site.install()
    assert not site.finish()
    assert site.histories == ["", "", ""]
    assert site.shelf.dumps()


def test_installation_that_ended_without_its_caller_is_noticed(site: Site) -> None:
    site.machines["web-01"].dies_before = "install"
    with pytest.raises(CutOffError):
        site.install()
    assert not site.finish()
    site.machines["web-01"].history = B
    assert site.finish()
    assert site.is_set_aside()


def test_machine_that_is_away_is_left_out_and_a_new_primary_waited_for(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.machines["web-01"].dies_after = "install"
    with pytest.raises(CutOffError):
        site.install()
    away = site.machines.pop("web-01"), site.machines.pop("db-03")
    assert not site.finish()
    assert "web-01 can't be asked whether" in capsys.readouterr().out
    assert site.shelf.dumps()
    site.machines["web-01"] = away[0]
    assert site.finish()
    assert site.machines["web-02"].history == B
    assert site.is_set_aside()


@pytest.mark.parametrize(
    "command",
    [
        lambda backups: backups.backup(),
        lambda backups: backups.restore("", "", "", keep=False),
        lambda backups: backups.restore_to_primary("", "", "", replace=False),
        lambda backups: backups.verify(),
    ],
)
def test_each_command_begins_with_that(site: Site, command: Callable[[Backups], None]) -> None:
    site.machines["web-01"].dies_after = "install"
    with pytest.raises(CutOffError):
        site.install()
    with suppress(QuartetError):
        command(Backups(TOPOLOGY, site.fleet, site.folder))
    assert site.is_set_aside()
