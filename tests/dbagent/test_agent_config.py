"""The agent's settings, and what they prove about survivors."""

import json
from itertools import combinations
from pathlib import Path

import pytest
from dbagent.config import AgentError, Config, Login, Peer

from tests.dbagent.fakes import config_of

FILE = {
    "machine": "db-2",
    "databases": [
        {"name": "db-1", "address": "192.0.2.1"},
        {"name": "db-2", "address": "192.0.2.2"},
    ],
    "mysql_port": 3306,
    "agent_port": 8008,
    "ca": "/etc/mysql/tls/ca.pem",
    "manager": {"user": "manager", "password": "hush"},
    "replication": {"user": "replication", "password": "whisper"},
    "clone": {"user": "clone", "password": "mum"},
    "max_lag_s": 5,
    "automatic": True,
    "pause_s": 600,
}
SIZES = range(1, 8)


def test_file_is_read_typed(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(FILE))
    config = Config.load(path)
    assert config.itself == Peer("db-2", "192.0.2.2")
    assert config.others == (Peer("db-1", "192.0.2.1"),)
    assert config.manager == Login("manager", "hush")
    assert config.automatic


def test_passwords_are_not_shown() -> None:
    shown = repr(Config.from_json(FILE))
    assert not any(secret in shown for secret in ("hush", "whisper", "mum"))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[]",
        json.dumps({key: value for key, value in FILE.items() if key != "clone"}),
        json.dumps(FILE | {"colour": "blue"}),
        json.dumps(FILE | {"manager": {"user": "manager"}}),
    ],
    ids=["no file", "no JSON", "a list", "a key less", "a key more", "half a login"],
)
def test_file_that_can_not_be_used_is_one_clear_error(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AgentError, match="can't be read") as caught:
        Config.load(path)
    assert caught.value.where == str(path)
    assert caught.value.next_step == "./lab provision"


def test_machine_is_found_by_name_and_by_address() -> None:
    config = config_of(3)
    assert config.peer("db-3") is config.at("192.0.2.3")
    assert config.at("192.0.2.9") is None
    assert config.at("") is None
    with pytest.raises(AgentError, match="db-9: is no database machine") as caught:
        config.peer("db-9")
    assert caught.value.next_step == "pick one of db-1, db-2, db-3"


@pytest.mark.parametrize(
    ("databases", "acknowledgements", "majority"),
    [(1, 1, 1), (2, 1, 1), (3, 1, 2), (4, 2, 3), (5, 2, 3), (6, 3, 4), (7, 3, 4)],
)
def test_half_of_the_servers_acknowledge_and_more_than_half_are_locked(
    databases: int, acknowledgements: int, majority: int
) -> None:
    config = config_of(databases)
    assert (config.acknowledgements, config.majority) == (acknowledgements, majority)


@pytest.mark.parametrize("databases", SIZES)
def test_survivors_that_are_enough_have_every_acknowledged_write(databases: int) -> None:
    """Whoever acknowledged a write, one of them survives; and no more are acknowledged."""
    config = config_of(databases)
    replicas = [peer.name for peer in config.others]
    holders = [set(each) for each in combinations(replicas, config.acknowledgements)]
    for count in range(1, databases):
        for survivors in map(set, combinations(replicas, count)):
            is_safe = all(survivors & each for each in holders)
            assert config.enough_to_promote(count) == is_safe
            may_acknowledge = len(set(replicas) - survivors) >= config.acknowledgements
            assert is_safe == (not may_acknowledge)


@pytest.mark.parametrize("databases", SIZES)
def test_all_replicas_are_enough_and_none_are_not(databases: int) -> None:
    config = config_of(databases)
    assert config.enough_to_promote(databases - 1)
    assert config.enough_to_promote(0) == (databases == 1)


@pytest.mark.parametrize("databases", [1, *SIZES[2:]])
def test_no_two_operations_hold_a_majority(databases: int) -> None:
    """Of two servers one may be dead, so there one is enough; see the tests of the lock."""
    assert 2 * config_of(databases).majority > databases


@pytest.mark.parametrize("databases", SIZES[2:])
def test_after_the_loss_of_the_primary_the_rest_is_enough(databases: int) -> None:
    config = config_of(databases)
    assert databases - 1 >= config.majority
    assert databases - 2 >= config.acknowledgements
