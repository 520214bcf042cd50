"""The service outlives the loss of a part, and the part comes back; all is put right at the end."""

from collections import Counter
from collections.abc import Callable, Iterator

import pymysql
import pytest

from checks import breaking, services
from checks.expectations import expect, expect_equal
from checks.front_door import Door, Written, even_share
from checks.lab import Lab
from checks.traffic import Traffic, visitors
from checks.turns import reads_to_meet_all, undisturbed
from checks.waiting import wait_until
from provision.topology import Machine

pytestmark = [
    pytest.mark.disruptive,
    pytest.mark.asks_mysql,
    pytest.mark.area("disruption"),
    pytest.mark.look("./lab status"),
]

REQUESTS = 200
LEFT_ALONE_AFTER_S = 5
RESTARTED_WITHIN_S = 10
CAUGHT_UP_WITHIN_S = 10
RECOVERED_WITHIN_S = 60
READ_BY_ALL_WITHIN_S = 15
WATCHED_REQUESTS = 50
ABSENT_FOR_READS = 20


@pytest.fixture(autouse=True)
def put_back(lab: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    """Break only what is whole, and whatever happens leave it whole."""
    if "last" not in request.keywords and not breaking.is_whole(lab):
        pytest.skip("the site was not whole before anything was broken")
    yield
    try:
        breaking.wait_until_whole(lab)
    except Exception:  # whatever kept it from being whole
        breaking.repair(lab)
        raise


@pytest.mark.parametrize("part", ["nginx", "app"])
def test_stopped_web_machine_is_skipped_without_a_failed_request(
    lab: Lab, front: Door, web: Machine, part: str
) -> None:
    _needs(len(lab.webs) > 1, "there is no other web machine")
    # systemd would start the application for the next request, so its socket goes as well.
    units = {"nginx": ["nginx"], "app": ["app.socket", "app.service"]}[part]
    with visitors(lab) as traffic:
        _wait_for_answers(traffic)
        with breaking.stopped(lab, web, *units):
            _wait_until_left_alone(traffic, web)
        breaking.wait_until_in_rotation(lab)
        if web in lab.serving_webs:
            _wait_until_served_by(traffic, web)
    traffic.expect_none_failed()
    _expect_exact_turns(lab, front)


@pytest.mark.parametrize("unit", ["nginx", "app"])
def test_crashed_web_machine_costs_no_request_and_starts_again_by_itself(
    lab: Lab, front: Door, web: Machine, unit: str
) -> None:
    _needs(len(lab.webs) > 1, "there is no other web machine")
    host = lab.root(web)
    before = host.check_output("systemctl show --property=NRestarts --value %s", unit)
    with visitors(lab) as traffic:
        _wait_for_answers(traffic)
        breaking.crash(lab, web, unit)
        wait_until(
            lambda: host.check_output("systemctl show --property=NRestarts,ActiveState %s", unit),
            lambda found: (
                {f"NRestarts={int(before) + 1}", "ActiveState=active"} == set(found.split())
            ),
            expected=f"{unit} started again once by systemd",
            within_s=RESTARTED_WITHIN_S,
            look=f"journalctl -u {unit} -n 50",
        )
        breaking.wait_until_in_rotation(lab)
        _wait_for_answers(traffic)
    traffic.expect_none_failed()
    _expect_exact_turns(lab, front)


def test_row_written_while_a_replica_lags_appears_when_it_follows_again(
    lab: Lab, front: Door, post: Callable[[], Written], replica: Machine
) -> None:
    _needs(len(lab.replicas) > 1, "no other replica could acknowledge a write")
    database = lab.databases[replica.name]
    with breaking.replication_stopped(lab, replica):
        row = post()
        others = [each for each in lab.replicas if each != replica]
        for other in others:
            _wait_for_row(lab, other, row.id, row.text)
        found = database.message(row.id)
        expect(found is None, expected=f"no row {row.id} while it is stopped", found=found)
        answer = front.get("/api/messages")
        expect_equal("status of reading meanwhile", answer.status_code, 200)
        ids = {message["id"] for message in answer.json()["messages"]}
        seen = row.id in ids or not lab.topology.database.fresh_reads
        expect(seen, expected="the visitor reads the new row meanwhile", found=ids)
    _wait_for_row(lab, replica, row.id, row.text)


@pytest.mark.look("journalctl -u mysql -n 50")
def test_site_answers_while_a_replicas_server_is_stopped(
    lab: Lab, front: Door, post: Callable[[], Written], replica: Machine
) -> None:
    _needs(len(lab.replicas) > 1, "no other replica could acknowledge a write")
    with visitors(lab, "/api/messages") as traffic:
        _wait_for_answers(traffic)
        with breaking.stopped(lab, replica, "mysql"):
            row = post()
            reads = [front.get("/api/messages").json() for _ in range(ABSENT_FOR_READS)]
            _wait_for_answers(traffic)
        served = {read["served_by"]["database"] for read in reads}
        breaking.wait_until_replicating(lab, replica)
        _wait_for_row(lab, replica, row.id, row.text)
    expect(replica.name not in served, expected=f"no read from {replica.name}", found=served)
    traffic.expect_none_failed()
    _wait_until_read_by_all(lab, front)


@pytest.mark.look("journalctl -u mysql -n 50")
def test_killed_replica_starts_again_read_only_and_catches_up(
    lab: Lab, front: Door, post: Callable[[], Written], replica: Machine
) -> None:
    _needs(len(lab.replicas) > 1, "no other replica could acknowledge a write")
    with visitors(lab, "/api/messages") as traffic:
        _wait_for_answers(traffic)
        breaking.crash(lab, replica, "mysql")
        row = post()
        breaking.wait_until_replicating(lab, replica, RECOVERED_WITHIN_S)
        _wait_for_row(lab, replica, row.id, row.text)
    read_only = lab.databases[replica.name].value("SELECT @@super_read_only")
    expect_equal("super_read_only", read_only, 1)
    traffic.expect_none_failed()
    _wait_until_read_by_all(lab, front)


@pytest.mark.last
@pytest.mark.look("systemctl --failed")
def test_everything_that_was_broken_is_put_right(lab: Lab, front: Door, machine: Machine) -> None:
    """Nothing has failed, and what ran at the start runs now."""
    host = lab.root(machine)
    listed = host.check_output("systemctl list-units --failed --no-legend --plain")
    expect_equal("failed units", services.failed_units(lab, machine, listed), set())
    expected = {
        name: unit["ActiveState"]
        for name, unit in lab.facts[machine.name].units.items()
        if unit["LoadState"] == "loaded"
    }
    names = list(expected)
    states = host.run("systemctl is-active " + " ".join(names)).stdout.split()
    expect_equal("units as they were", dict(zip(names, states, strict=True)), expected)
    if machine in lab.replicas:
        expect_equal("replication", breaking.replication_of(lab, machine), ("Yes", "Yes", "ON"))
    if machine == lab.load_balancer:
        _expect_exact_turns(lab, front)


def _needs(holds: bool, otherwise: str) -> None:
    if not holds:
        pytest.skip(otherwise)


def _wait_for_answers(traffic: Traffic) -> None:
    mark = traffic.mark()
    wait_until(
        lambda: traffic.mark() - mark,
        lambda count: count >= WATCHED_REQUESTS,
        expected=f"{WATCHED_REQUESTS} answered requests",
        within_s=20,
    )


def _wait_until_left_alone(traffic: Traffic, web: Machine) -> None:
    wait_until(
        lambda: _next_answers(traffic),
        lambda served: web.name not in served,
        expected=f"{web.name} left out of {WATCHED_REQUESTS} requests",
        within_s=LEFT_ALONE_AFTER_S,
        look="journalctl -u haproxy -n 50",
    )


def _next_answers(traffic: Traffic) -> set[str]:
    mark = traffic.mark()
    _wait_for_answers(traffic)
    return set(traffic.served_since(mark))


def _wait_until_served_by(traffic: Traffic, web: Machine) -> None:
    mark = traffic.mark()
    wait_until(
        lambda: traffic.served_since(mark),
        lambda served: served[web.name] > 0,
        expected=f"{web.name} serves again",
        within_s=5,
    )


def _expect_exact_turns(lab: Lab, front: Door) -> None:
    names = [web.name for web in lab.serving_webs]
    count = REQUESTS - REQUESTS % len(names)
    found = undisturbed(lab, lambda: front.turns(count))
    expected = even_share(names, count)
    expect_equal(f"who served {count} requests afterwards", Counter(found), expected)


def _wait_for_row(lab: Lab, replica: Machine, message_id: int, text: str) -> None:
    wait_until(
        lambda: lab.databases[replica.name].message(message_id),
        lambda row: row is not None and row["text"] == text,
        expected=f"row {message_id} on {replica.name}",
        within_s=CAUGHT_UP_WITHIN_S,
        trying=(pymysql.err.OperationalError,),
        at=replica,
        look="mysql -E -e 'SHOW REPLICA STATUS'",
    )


def _wait_until_read_by_all(lab: Lab, front: Door) -> None:
    count = reads_to_meet_all(lab.topology, ABSENT_FOR_READS)

    def readers() -> set[str]:
        answers = [front.get("/api/messages").json() for _ in range(count)]
        return {str(answer["served_by"]["database"]) for answer in answers}

    wait_until(
        readers,
        lambda found: found == {replica.name for replica in lab.replicas},
        expected="reads served by every replica again",
        within_s=READ_BY_ALL_WITHIN_S,
        look="journalctl -u app -n 50",
    )
