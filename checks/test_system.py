"""End to end: through the front door, to the primary, and out of every replica."""

from collections import Counter
from collections.abc import Callable

import pytest

from checks.expectations import expect, expect_equal
from checks.front_door import Door, Written
from checks.lab import Lab
from checks.turns import reads_to_meet_all
from checks.waiting import wait_until
from provision.topology import Machine

pytestmark = [
    pytest.mark.asks_mysql,
    pytest.mark.area("end to end"),
    pytest.mark.look("./lab status"),
]

ON_EACH_REPLICA_WITHIN_S = 5
READS = 12
FORGOTTEN_WITHIN_S = 5
"""The application remembers for a few seconds that a database did not answer at once."""


@pytest.mark.look("mysql -E -e 'SHOW REPLICA STATUS'")
def test_row_written_through_the_front_door_is_on_the_replica_within_5_s(
    written: Written, lab: Lab, replica: Machine
) -> None:
    wait_until(
        lambda: lab.databases[replica.name].message(written.id),
        lambda row: row is not None and row["text"] == written.text,
        expected=f"row {written.id} with the text that was written",
        within_s=ON_EACH_REPLICA_WITHIN_S,
        since=written.at,
    )


@pytest.mark.look("journalctl -u app -n 50")
def test_row_is_on_the_primary_when_it_is_acknowledged(
    written: Written, lab: Lab, primary: Machine
) -> None:
    row = lab.databases[primary.name].message(written.id)
    expect_equal("text of the row", row and row["text"], written.text)


@pytest.mark.look("mysql -e 'SHOW GLOBAL STATUS' | grep Rpl_semi")
def test_write_is_acknowledged_by_a_replica_before_the_visitor_hears_of_it(
    lab: Lab, post: Callable[[], Written], followed_primary: Machine
) -> None:
    before = _acknowledged(lab, followed_primary)
    post()
    after = _acknowledged(lab, followed_primary)
    yes, no = (late - early for late, early in zip(after, before, strict=True))
    expect(
        yes >= 1 and no == 0,
        expected="the commit counted as acknowledged (yes_tx), not as given up (no_tx)",
        found=f"yes_tx grew by {yes}, no_tx by {no}",
    )


def test_visitor_reads_their_own_write_at_once(
    lab: Lab, written: Written, front: Door, load_balancer: Machine
) -> None:
    if not lab.topology.database.fresh_reads:
        pytest.skip("fresh_reads is off in topology.yml")
    answer = front.get("/api/messages").json()
    expect_equal("fresh, as the site says it", answer["fresh"], True)
    texts = {message["id"]: message["text"] for message in answer["messages"]}
    expect_equal("the text as the site reads it", texts.get(written.id), written.text)


def test_reads_are_served_by_every_replica_and_by_them_alone(
    lab: Lab, front: Door, board: None, load_balancer: Machine
) -> None:
    count = reads_to_meet_all(lab.topology, READS * len(lab.webs))
    answers = [front.get("/api/messages") for _ in range(count)]
    found = Counter(str(answer.json()["served_by"]["database"]) for answer in answers)
    expected = {machine.name for machine in lab.replicas or [lab.primary]}
    expect_equal("databases that served reads", set(found), expected)


def test_every_database_is_what_the_site_says_it_is(
    lab: Lab, front: Door, board: None, load_balancer: Machine
) -> None:
    def roles() -> dict[str, str]:
        shown = front.get("/api/topology").json()["databases"]
        return {each["name"]: each["role"] for each in shown}

    expected = {replica.name: "replica" for replica in lab.replicas} | {lab.primary.name: "primary"}
    wait_until(
        roles,
        lambda found: found == expected,
        expected=f"roles in /api/topology: {expected}",
        within_s=FORGOTTEN_WITHIN_S,
    )


def _acknowledged(lab: Lab, primary: Machine) -> tuple[int, int]:
    status = lab.databases[primary.name].rows(
        "SHOW GLOBAL STATUS WHERE Variable_name IN"
        " ('Rpl_semi_sync_source_yes_tx', 'Rpl_semi_sync_source_no_tx')"
    )
    values = {row["Variable_name"].lower(): int(row["Value"]) for row in status}
    return values["rpl_semi_sync_source_yes_tx"], values["rpl_semi_sync_source_no_tx"]
