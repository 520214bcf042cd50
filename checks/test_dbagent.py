"""The database agents: what load balancers and people hear of a server is what it says itself."""

import json
from contextlib import closing
from typing import Any

import pytest
import requests

from checks import services
from checks.databases import ServerState
from checks.expectations import NotAnsweringError, UnmetError, expect, expect_equal
from checks.lab import Lab
from checks.waiting import wait_until
from provision.topology import Machine

LOOK = "journalctl -u dbagent -n 50"
STATUS = "/usr/local/sbin/dbagent status"
pytestmark = [
    pytest.mark.asks_mysql,
    pytest.mark.area("database agents"),
    pytest.mark.look(LOOK),
]

SAMPLED_WITHIN_S = 2
YES, NO = 200, 503


@pytest.mark.without_answer
def test_what_it_is_written_for_is_installed(lab: Lab, database: Machine) -> None:
    services.expect_installed(lab, database, "python3-pymysql")


@pytest.mark.without_answer
@pytest.mark.parametrize("unit", ["dbagent", "dbagent.socket"])
def test_agent_runs_now_and_after_a_boot(lab: Lab, database: Machine, unit: str) -> None:
    services.expect_running(lab, database, unit)


@pytest.mark.without_answer
@pytest.mark.look("ss -lntp")
def test_agent_listens_on_the_private_address_alone(lab: Lab, database: Machine) -> None:
    found = lab.facts[database.name].listening_of("dbagent.service")
    expected = f"tcp {database.address}:{lab.topology.ports.database_agent}"
    expect_equal("the agent's sockets", found, {expected})


@pytest.mark.without_answer
@pytest.mark.look("ls -la /etc/dbagent")
def test_passwords_of_the_agent_are_roots_alone(lab: Lab, database: Machine) -> None:
    modes = lab.facts[database.name].modes
    expected = {
        "/etc/dbagent": ("700", "root:root"),
        "/etc/dbagent/config.json": ("600", "root:root"),
    }
    expect_equal("mode and owner", {path: modes.get(path) for path in expected}, expected)


def test_health_checks_say_what_the_server_says(lab: Lab, database: Machine) -> None:
    expected = _part(lab, database)
    wait_until(
        lambda: {path: _asked(lab, database, path).status_code for path in expected},
        lambda found: found == expected,
        expected=", ".join(f"{path}: {status}" for path, status in sorted(expected.items())),
        within_s=SAMPLED_WITHIN_S,
        at=database,
        look=LOOK,
    )


def test_exactly_one_server_is_primary_for_its_agent(lab: Lab) -> None:
    wait_until(
        lambda: {
            database.name
            for database in lab.topology.databases
            if _asked(lab, database, "/primary").status_code == YES
        },
        lambda found: found == {lab.primary.name},
        expected=f"{lab.primary.name} alone is primary, as the agents say",
        within_s=SAMPLED_WITHIN_S,
        look=LOOK,
    )


def test_unknown_question_is_no_health_check(lab: Lab, database: Machine) -> None:
    expect_equal("status of another path", _asked(lab, database, "/").status_code, 404)


@pytest.mark.look(STATUS)
def test_status_knows_the_primary_and_of_no_problem(lab: Lab, database: Machine) -> None:
    view = _view(lab, database)
    found = (view["primary"], view["problem"])
    expect_equal("primary, problem", found, (lab.primary.name, ""))


@pytest.mark.look(STATUS)
def test_status_knows_each_server_as_that_says_itself(lab: Lab, database: Machine) -> None:
    found = {
        server["name"]: (server["server_uuid"], server["super_read_only"], server["source"])
        for server in _view(lab, database)["servers"]
    }
    expected = {name: _own_word(state) for name, state in lab.states.items()}
    expect_equal("uuid, read-only, source", found, expected)


@pytest.mark.look(STATUS)
def test_status_knows_the_part_of_each_server(lab: Lab, database: Machine) -> None:
    found = {server["name"]: server["role"] for server in _view(lab, database)["servers"]}
    parts = {replica.name: "replica" for replica in lab.replicas}
    expect_equal("roles", found, {lab.primary.name: "primary"} | parts)


@pytest.mark.look(STATUS)
def test_replica_would_be_promoted(lab: Lab, followed_primary: Machine) -> None:
    candidate = _view(lab, followed_primary)["candidate"]
    names = {replica.name for replica in lab.replicas}
    expect(candidate in names, expected=f"one of {' '.join(sorted(names))}", found=candidate)


@pytest.mark.look(STATUS)
def test_no_server_has_transactions_of_its_own(lab: Lab, database: Machine) -> None:
    servers = _view(lab, database)["servers"]
    errant = {server["name"]: server["errant"] for server in servers if server["errant"]}
    expect_equal("errant transactions", errant, {})


@pytest.mark.look(STATUS)
def test_no_replica_is_too_far_behind(lab: Lab, database: Machine) -> None:
    servers, most = _view(lab, database)["servers"], lab.topology.database.max_lag_s
    behind = {each["name"]: each["lag_s"] for each in servers if each["lag_s"] > most}
    expect_equal(f"servers more than {most} s behind", behind, {})


@pytest.mark.look(STATUS)
def test_agent_gets_an_answer_of_every_agent(lab: Lab, database: Machine) -> None:
    servers = _view(lab, database)["servers"]
    silent = {server["name"] for server in servers if not server["agent"]}
    expect_equal("agents that don't answer", silent, set())


@pytest.mark.look("grep -v password /etc/dbagent/config.json")
def test_agent_has_the_settings_of_the_topology(lab: Lab, database: Machine) -> None:
    view, tier = _view(lab, database), lab.topology.database
    found = (view["automatic"], view["max_lag_s"], view["acknowledgements"])
    half = max(1, len(lab.topology.databases) // 2)
    expected = (tier.failover == "automatic", tier.max_lag_s, half)
    expect_equal("automatic failover, max_lag_s, acknowledgements", found, expected)


def _part(lab: Lab, database: Machine) -> dict[str, int]:
    """What a load balancer has to hear, by the server's own words of this moment."""
    state = lab.databases[database.name].state()
    source = state.replication.get("Source_Host")
    applies = state.replication.get("Replica_SQL_Running") == "Yes"
    return {
        "/primary": YES if state.is_writable and not source else NO,
        "/replica": YES if source and applies else NO,
        "/alive": YES,
    }


def _own_word(state: ServerState | str) -> tuple[str, bool, str] | str:
    if isinstance(state, str):
        return state
    is_read_only = state.variables["super_read_only"] == "ON"
    source = state.replication.get("Source_Host") or ""
    return state.variables["server_uuid"], is_read_only, source


def _asked(lab: Lab, database: Machine, path: str) -> requests.Response:
    with closing(lab.door(database, lab.topology.ports.database_agent)) as door:
        try:
            return door.get(path)
        except NotAnsweringError as error:
            what = f"the agent on {database.name} answers"
            raise NotAnsweringError(what, error.found, database.name, LOOK) from error


def _view(lab: Lab, database: Machine) -> dict[str, Any]:
    """What the machine's agent was asked when the checks began."""
    output = lab.facts[database.name]["agent status"]
    try:
        view: dict[str, Any] = json.loads(output.text)
    except ValueError:
        view = {"error": output.lines[-1] if output.lines else "nothing was printed"}
    if "error" in view:
        raise UnmetError(f"{STATUS} shows the servers", view["error"], database.name, STATUS)
    return view
