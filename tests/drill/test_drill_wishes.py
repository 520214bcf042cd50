"""What may be asked of a drill."""

from dataclasses import replace
from pathlib import Path

import pytest

from provision.drill.events import EVENTS
from provision.drill.wishes import wish
from provision.errors import QuartetError
from provision.topology import Topology, load
from tests.site_parts import ROOT


@pytest.fixture
def lab() -> Topology:
    return load(ROOT / "topology.yml")


@pytest.fixture
def servers(lab: Topology) -> Topology:
    return replace(lab, provider="ssh")


def test_without_a_wish_a_lab_goes_through_everything(lab: Topology) -> None:
    asked = wish(lab)
    assert asked.events == tuple(EVENTS)
    assert (asked.writers, asked.repeat, asked.json) == (4, 1, None)
    assert asked.seed > 0


def test_what_was_asked_for_is_kept(lab: Topology) -> None:
    asked = wish(lab, events=("partition",), writers=2, repeat=3, json="out.json", seed=7)
    assert asked.events == ("partition",)
    assert (asked.writers, asked.repeat, asked.seed) == (2, 3, 7)
    assert asked.json == Path("out.json")


def test_unknown_event_is_one_error_that_names_those_there_are(lab: Topology) -> None:
    with pytest.raises(QuartetError) as caught:
        wish(lab, events=("switchover", "swichover", "boom"))
    assert caught.value.what == "no event is called 'swichover', 'boom'"
    assert caught.value.next_step == f"pick from {', '.join(EVENTS)}"


@pytest.mark.parametrize(("writers", "repeat"), [(0, 1), (65, 1), (4, 0), (4, -1)])
def test_numbers_have_to_make_sense(lab: Topology, writers: int, repeat: int) -> None:
    with pytest.raises(QuartetError):
        wish(lab, writers=writers, repeat=repeat)


def test_system_without_a_replica_has_nobody_to_take_over(lab: Topology) -> None:
    alone = replace(lab, machines=lab.machines[:2])
    with pytest.raises(QuartetError, match="nobody could take over"):
        wish(alone)


def test_servers_are_only_switched_over_unasked(servers: Topology) -> None:
    assert wish(servers).events == ("switchover",)


def test_servers_are_not_broken_without_a_yes(servers: Topology) -> None:
    with pytest.raises(QuartetError, match="mysqld-kill breaks them on purpose") as caught:
        wish(servers, events=("switchover", "mysqld-kill"))
    assert "--yes" in caught.value.next_step
    assert wish(servers, events=("mysqld-kill",), yes=True).events == ("mysqld-kill",)


def test_nobody_pulls_the_plug_of_servers(servers: Topology) -> None:
    assert "power-cut" not in wish(servers, yes=True).events
    with pytest.raises(QuartetError, match="nobody here can cut the power"):
        wish(servers, events=("power-cut",), yes=True)
