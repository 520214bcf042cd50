"""What the data tier promises, a few times each; tests/e2e/failover_runs.py does it many times."""

import shlex
from collections.abc import Iterator

import pytest

from tests.e2e import drills
from tests.e2e.drills import Trial, bar_is_met, drill
from tests.e2e.fresh_pairs import late_replicas, write_and_read
from tests.e2e.sandbox import Sandbox
from tests.e2e.traces import Traces

BREAK_A_SESSION = """
import time
from dbagent.config import Config
from dbagent.mysql import dial
from dbagent.survey import FAILURES

config = Config.load()
broken, killer, sound = (dial(config, config.databases[number]) for number in (0, 0, 1))
killer.run(f"KILL {broken.value('SELECT CONNECTION_ID()')}")
time.sleep(0.2)
try:
    broken.value("SELECT 1")
except FAILURES:
    print(sound.value("SELECT SLEEP(0.2)"), sound.value("SELECT 'sound'"))
"""
PAIRS = 200
PAIRS_WITHOUT = 20


@pytest.fixture(scope="module")
def tier(tmp_path_factory: pytest.TempPathFactory, before: Traces) -> Iterator[Sandbox]:
    """A lab that is provisioned; other tests verify labs like it."""
    sandbox = Sandbox(tmp_path_factory.mktemp("tier"), "tier")
    try:
        sandbox.lab().up()
        run = sandbox.inv("provision")
        assert run.code == 0, run.output
        yield sandbox
    finally:
        sandbox.inv("destroy")


def test_user_sees_what_he_has_just_written_although_every_replica_is_late(tier: Sandbox) -> None:
    with late_replicas(tier) as replicas:
        pairs = write_and_read(tier, PAIRS, fresh=True)
        without = write_and_read(tier, PAIRS_WITHOUT, fresh=False)
    assert [pair for pair in pairs if not pair.is_fresh] == []
    assert {pair.database for pair in pairs} & set(replicas), "no replica answered a read"
    assert [pair for pair in without if not pair.is_fresh], "none was stale without fresh reads"


def test_session_that_broke_takes_none_of_its_threads_other_sessions_with_it(tier: Sandbox) -> None:
    """Since 3.13, Python may leave what broke one in OpenSSL's queue, where another finds it."""
    run = f"sudo env --chdir=/srv/dbagent/current python3 -c {shlex.quote(BREAK_A_SESSION)}"
    assert tier.ssh("web-01", run) == "0 sound\n"


def test_switchovers_keep_writers_waiting_for_a_second_at_most_and_fail_no_request(
    tier: Sandbox,
) -> None:
    trials = drill(tier, "switchover", repeat=5)
    for trial in trials:
        assert trial.loses_nothing(), str(trial)
        assert trial.fails_no_request(), str(trial)
    assert bar_is_met(tier, trials, Trial.is_smooth)


def test_failover_by_command_loses_nothing_and_writes_are_back_in_time(tier: Sandbox) -> None:
    trials = drill(tier, "mysqld-kill", "power-cut")
    for trial in trials:
        assert trial.loses_nothing(), str(trial)
    assert bar_is_met(tier, trials, lambda trial: trial.is_back_within(drills.BY_COMMAND_S))


def test_cut_off_primary_takes_no_write_that_it_then_loses(tier: Sandbox) -> None:
    [trial] = drill(tier, "partition")
    assert trial.loses_nothing(), str(trial)


def test_full_disk_leaves_one_server_alone_that_takes_writes(tier: Sandbox) -> None:
    """The old primary closes itself while the failover comes; commits hold that up."""
    for trial in drill(tier, "disk-full", repeat=2):
        assert trial.loses_nothing(), str(trial)


def test_killed_commands_lose_nothing_and_one_repeat_is_enough(tier: Sandbox) -> None:
    for trial in drill(tier, "operator-kill", repeat=3, seed=3):
        assert trial.loses_nothing(), str(trial)


def test_automatic_failover_loses_nothing_and_writes_are_back_in_time(tier: Sandbox) -> None:
    tier.rewrite(*drills.AUTOMATIC)
    run = tier.inv("provision")
    assert run.code == 0, run.output
    trials = drill(tier, "mysqld-kill", "power-cut")
    for trial in trials:
        assert trial.loses_nothing(), str(trial)
    assert bar_is_met(tier, trials, lambda trial: trial.is_back_within(drills.AUTOMATIC_S))
