"""An operation that is killed at any point, under writes, loses none; the next one completes it."""

import re
from collections.abc import Callable

import pytest
from dbagent.config import AgentError, Config
from dbagent.failover import failover
from dbagent.switchover import switchover

from tests.dbagent.conftest import MakeMysqlds
from tests.dbagent.mysqlds import CHANGES, KilledError, Mysqld, Mysqlds

Operation = Callable[[Config], object]


def change(config: Config) -> object:
    return switchover(config, None, "a test")


def replace(config: Config) -> object:
    return failover(config, "a test")


# By the number of servers: at least as many statements as change something.
SWITCHOVERS = {2: 15, 3: 21, 4: 27}
FAILOVERS = {3: 17, 5: 31}


def steps_of(lengths: dict[int, int]) -> list[tuple[int, int]]:
    return [(databases, step) for databases, count in lengths.items() for step in range(count)]


def is_cut_off(mysqlds: Mysqlds, step: int, operation: Operation) -> bool:
    """Kill it before its Nth change, while somebody writes all the time; tell whether it came."""
    left = [step]

    def before(server: Mysqld, statement: str) -> None:
        mysqlds.write_everywhere()
        left[0] -= statement.startswith(CHANGES)
        if left[0] < 0:
            mysqlds.is_killed = True
            raise KilledError

    mysqlds.before = before
    try:
        operation(mysqlds.config)
    except KilledError:
        return True
    finally:
        mysqlds.revive()
    return False


def close_the_unfollowed(mysqlds: Mysqlds) -> None:
    """What the agents do meanwhile: a server whose commits would hang takes no writes."""
    for name in mysqlds.writable:
        server = mysqlds[name]
        if server.hanging:
            mysqlds.kill(name, agent=False)
            mysqlds.boot(name)
        elif len(mysqlds.followers_of(name)) < server.acknowledgements:
            server.read_only = server.super_read_only = True


def follow_the_advice(mysqlds: Mysqlds, operation: Operation) -> None:
    """Run the command again, or the one that it names."""
    try:
        operation(mysqlds.config)
    except AgentError as error:
        opening = re.match(r"\./lab db\.switchover --to (\S+) opens it again", error.next_step)
        if opening:
            switchover(mysqlds.config, opening[1], "a test")
        elif "./lab db.failover" in error.next_step:
            replace(mysqlds.config)
        elif "for a planned change" not in error.next_step:  # which is: all is done
            raise


def expect_all_well(mysqlds: Mysqlds) -> None:
    [primary] = mysqlds.writable
    assert mysqlds.write(primary)
    assert mysqlds.acknowledged <= mysqlds[primary].executed
    alive = {each.name for each in mysqlds.servers.values() if each.is_alive}
    assert mysqlds.followers_of(primary) == alive - {primary}


@pytest.mark.parametrize("are_watched", [True, False], ids=["agents act", "agents do nothing"])
@pytest.mark.parametrize(("databases", "step"), steps_of(SWITCHOVERS))
def test_switchover_that_was_cut_off_is_completed_by_the_next(
    databases: int, step: int, are_watched: bool, make_mysqlds: MakeMysqlds
) -> None:
    mysqlds = make_mysqlds(databases)
    if is_cut_off(mysqlds, step, change) and are_watched:
        close_the_unfollowed(mysqlds)
    follow_the_advice(mysqlds, change)
    expect_all_well(mysqlds)


@pytest.mark.parametrize("is_alive", [True, False], ids=["alive somewhere", "dead"])
@pytest.mark.parametrize(("databases", "step"), steps_of(FAILOVERS))
def test_failover_that_was_cut_off_is_completed_by_the_next(
    databases: int, step: int, is_alive: bool, make_mysqlds: MakeMysqlds
) -> None:
    mysqlds = make_mysqlds(databases)
    mysqlds["db-1"].is_reachable = False
    if not is_alive:
        mysqlds.kill("db-1")
    is_cut_off(mysqlds, step, replace)
    close_the_unfollowed(mysqlds)
    follow_the_advice(mysqlds, replace)
    assert mysqlds["db-1"].address not in {each.source for each in mysqlds.servers.values()}
    mysqlds.kill("db-1")
    expect_all_well(mysqlds)


@pytest.mark.parametrize(
    ("operation", "databases", "changes"),
    [(change, *each) for each in SWITCHOVERS.items()]
    + [(replace, *each) for each in FAILOVERS.items()],
)
def test_no_step_is_left_out(
    operation: Operation, databases: int, changes: int, make_mysqlds: MakeMysqlds
) -> None:
    mysqlds = make_mysqlds(databases)
    mysqlds["db-1"].is_reachable = operation is change
    assert not is_cut_off(mysqlds, changes, operation)
