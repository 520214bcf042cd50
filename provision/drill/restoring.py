"""Back to health: every machine runs, one is primary, all others follow it."""

from provision.drill.scene import Scene
from provision.drill.tier import complaints, strays
from provision.errors import QuartetError
from provision.polling import is_reached
from provision.waiting import wait_until

BY_ITSELF_S = 4.0
ANSWERING_S = 90.0
HEALTHY_S = 60.0
POLL_S = 0.5
BY_HAND = "./lab up, then ./lab db.status and ./lab db.rejoin NAME for whoever does not follow"


def restore(scene: Scene) -> None:
    """Do what a person would, and wait until replication is healthy.

    QuartetError says what is still wrong after that.
    """
    scene.boot()
    wait_until(
        lambda: _all_answer(scene),
        where="the databases",
        what="not all of them answer",
        deadline_s=ANSWERING_S,
        next_step=BY_HAND,
    )
    if not is_reached(lambda: is_healthy(scene), within_s=BY_ITSELF_S, poll_s=POLL_S):
        _mend(scene)
    require_health(scene)


def require_health(scene: Scene) -> None:
    """Wait for it; QuartetError says what is wrong."""
    if not is_reached(lambda: is_healthy(scene), within_s=HEALTHY_S, poll_s=POLL_S):
        wrong = "; ".join(complaints(scene.tier.status()))
        raise QuartetError("the databases", wrong or "are not steady", BY_HAND)


def is_healthy(scene: Scene) -> bool:
    """Whether there is nothing to complain of."""
    return not complaints(scene.tier.status())


def _mend(scene: Scene) -> None:
    status = scene.tier.status()
    head = next((each for each in status["servers"] if each["name"] == status["primary"]), None)
    if head is None or head["role"] != "primary":
        # Nobody has taken over: provisioning compares all servers and opens the primary again.
        scene.must("provision")
    for name in strays(scene.tier.status()):
        scene.must("db.rejoin", name)


def _all_answer(scene: Scene) -> bool:
    try:
        servers = scene.tier.status()["servers"]
    except QuartetError:
        return False
    return all(each["answers"] for each in servers)
