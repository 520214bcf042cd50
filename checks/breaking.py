"""Stopping what runs, and putting it right again whatever happens in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from checks.haproxy_stats import states_of_servers
from checks.lab import Lab
from checks.tidying import do_all
from checks.waiting import wait_until
from provision.topology import Machine

BACK_IN_ROTATION_WITHIN_S = 10
REPLICATES_AGAIN_WITHIN_S = 60
REPLICATING = ("Yes", "Yes", "ON")


@contextmanager
def stopped(lab: Lab, machine: Machine, *units: str) -> Iterator[None]:
    """Stop units on a machine for as long as the block takes; start them in the other order."""
    host = lab.root(machine)
    try:
        host.check_output("systemctl stop " + " ".join(units))
        yield
    finally:
        host.check_output("systemctl start " + " ".join(reversed(units)))


@contextmanager
def replication_stopped(lab: Lab, replica: Machine) -> Iterator[None]:
    """Stop a replica's replication for as long as the block takes."""
    host = lab.root(replica)
    try:
        host.check_output("mysql --execute=%s", "STOP REPLICA")
        yield
    finally:
        host.check_output("mysql --execute=%s", "START REPLICA")


def crash(lab: Lab, machine: Machine, unit: str) -> None:
    """Kill all processes of a unit; systemd is expected to start it again."""
    lab.root(machine).check_output("systemctl kill --signal=SIGKILL %s", unit)


def is_whole(lab: Lab) -> bool:
    """Whether every web machine is in rotation and every replica replicates right now."""
    in_rotation = states_of_servers(lab) == _all_up(lab)
    return in_rotation and all(replication_of(lab, each) == REPLICATING for each in lab.replicas)


def wait_until_whole(lab: Lab) -> None:
    """Wait until every web machine is in rotation and every replica replicates."""
    wait_until_in_rotation(lab)
    for replica in lab.replicas:
        wait_until_replicating(lab, replica)


def repair(lab: Lab) -> None:
    """Start everything that a check may have stopped; what runs is left alone."""
    webs = [partial(_repair_web, lab, web) for web in lab.webs]
    do_all([*webs, *(partial(_repair_replica, lab, replica) for replica in lab.replicas)])


def _repair_web(lab: Lab, web: Machine) -> None:
    lab.root(web).check_output("systemctl start nginx app.socket app.service")


def _repair_replica(lab: Lab, replica: Machine) -> None:
    host = lab.root(replica)
    host.check_output("systemctl start mysql")
    host.check_output("mysql --execute=%s", "START REPLICA")


def wait_until_in_rotation(lab: Lab, within_s: float = BACK_IN_ROTATION_WITHIN_S) -> None:
    """Wait until HAProxy sends requests to every web machine."""
    wait_until(
        lambda: states_of_servers(lab),
        lambda found: found == _all_up(lab),
        expected="every web machine UP in HAProxy",
        within_s=within_s,
        at=lab.load_balancer,
        look="journalctl -u haproxy -n 50",
    )


def wait_until_replicating(
    lab: Lab, replica: Machine, within_s: float = REPLICATES_AGAIN_WITHIN_S
) -> None:
    """Wait until a replica receives, applies and acknowledges."""
    wait_until(
        lambda: replication_of(lab, replica),
        lambda found: found == REPLICATING,
        expected="receiver, applier, semi-sync: Yes Yes ON",
        within_s=within_s,
        trying=(OSError,),
        at=replica,
        look="mysql -E -e 'SHOW REPLICA STATUS'",
    )


def _all_up(lab: Lab) -> dict[str, str]:
    return {web.name: "UP" for web in lab.webs}


def replication_of(lab: Lab, replica: Machine) -> tuple[str, ...]:
    """Say whether it receives, applies and acknowledges, or why it does not answer."""
    state = lab.databases[replica.name].try_state()
    if isinstance(state, str):
        return (state,)
    status = state.replication
    return (
        str(status.get("Replica_IO_Running")),
        str(status.get("Replica_SQL_Running")),
        str(state.status.get("rpl_semi_sync_replica_status")),
    )
