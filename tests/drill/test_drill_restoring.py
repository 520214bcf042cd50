"""Putting the machines right, with commands that only take notes."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from provision.drill import restoring
from provision.drill.restoring import mend_disks, restore
from provision.drill.scene import Scene
from provision.errors import QuartetError
from tests.drill.statuses import server, status

HEALTHY = status(server("web-02"))
FENCED = status(server("web-02", role="fenced", receiver="OFF"))
NOBODY = {"primary": None, "servers": [server("web-01", role="fenced")]}


class World:
    """Servers that are as the last command has left them."""

    def __init__(self, now: dict[str, Any], after: dict[str, dict[str, Any]]) -> None:
        self.now = now
        self._after = after
        self.done: list[str] = []
        self.small: list[str] = []

    def scene(self) -> Scene:
        return cast("Scene", self)

    @property
    def tier(self) -> "World":
        return self

    @property
    def faults(self) -> "World":
        return self

    @property
    def operator(self) -> "World":
        return self

    @property
    def names(self) -> list[str]:
        return [each["name"] for each in self.now["servers"]]

    def has_small_disk(self, name: str) -> bool:
        return name in self.small

    def free_disk(self, name: str) -> None:
        self.must("free_disk", name)

    def give_own_disk(self, name: str) -> None:
        self.must("give_own_disk", name)

    def run(self, *words: str) -> None:
        self.must(*words)

    def status(self) -> dict[str, Any]:
        return self.now

    def boot(self) -> None:
        self.must("boot")

    def must(self, *words: str) -> None:
        self.done.append(" ".join(words))
        self.now = self._after.get(self.done[-1], self.now)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BY_ITSELF_S", "ANSWERING_S", "HEALTHY_S", "POLL_S"):
        monkeypatch.setattr(restoring, name, 0.01)


@pytest.mark.parametrize(
    ("now", "after", "done"),
    [
        (HEALTHY, {}, ["boot"]),
        (FENCED, {"boot": HEALTHY}, ["boot"]),
        (FENCED, {"db.rejoin web-02": HEALTHY}, ["boot", "db.rejoin web-02"]),
        (NOBODY, {"provision": HEALTHY}, ["boot", "provision"]),
        (
            status(role="fenced"),
            {"provision": FENCED, "db.rejoin web-02": HEALTHY},
            ["boot", "provision", "db.rejoin web-02"],
        ),
    ],
    ids=["healthy", "away", "fenced", "no primary", "closed primary and a stray"],
)
def test_only_what_is_needed_is_done(
    now: dict[str, Any], after: dict[str, dict[str, Any]], done: list[str]
) -> None:
    world = World(now, after)
    restore(world.scene())
    assert world.done == done


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (FENCED, "web-02 does not follow"),
        (status(server("web-02", answers=False)), "not all of them answer"),
    ],
)
def test_what_is_still_wrong_is_said_with_what_to_do(now: dict[str, Any], told: str) -> None:
    world: Callable[[], Scene] = World(now, {}).scene
    with pytest.raises(QuartetError, match=told) as caught:
        restore(world())
    assert "./lab db.rejoin" in caught.value.next_step


@pytest.mark.parametrize(
    ("small", "done"),
    [
        ([], []),
        (["web-02"], ["free_disk web-02", "give_own_disk web-02", "boot"]),
        (["web-01"], ["free_disk web-01", "db.switchover", "give_own_disk web-01", "boot"]),
    ],
    ids=["none", "a replica's", "the primary's"],
)
def test_disk_that_another_drill_has_left_is_given_back(small: list[str], done: list[str]) -> None:
    world = World(HEALTHY, {})
    world.small = small
    mend_disks(world.scene())
    assert world.done == done
