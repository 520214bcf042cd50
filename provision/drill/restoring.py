"""Back to health: every machine runs, one is primary, all others follow it."""

from provision.console import say
from provision.drill.scene import Scene
from provision.drill.tier import complaints, strays
from provision.errors import QuartetError
from provision.polling import is_reached
from provision.waiting import wait_until

BY_ITSELF_S = 4.0
ANSWERING_S = 90.0
HEALTHY_S = 60.0
POLL_S = 0.5
BRING_BACK = "./lab drill --events switchover"
"""Every drill begins with it."""
BY_HAND = (
    "./lab up, then ./lab db.status and ./lab db.rejoin NAME for whoever does not follow;"
    f" {BRING_BACK} brings data back that disk-full has left in memory"
)


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


def mend_disks(scene: Scene) -> None:
    """Bring back what a drill that was killed has left in memory."""
    left = [name for name in scene.tier.names if scene.faults.has_small_disk(name)]
    for name in left:
        say(f"{name}: an earlier drill has left its data in memory: bringing them back")
        bring_data_back(scene, name)
    if left:
        restore(scene)


def bring_data_back(scene: Scene, name: str) -> None:
    """Give a machine its own disk back, if possible while another one is the primary."""
    try:
        scene.faults.free_disk(name)
        if scene.tier.status()["primary"] == name:
            scene.operator.run("db.switchover")
    finally:
        _give_own_disk(scene, name)


def _give_own_disk(scene: Scene, name: str) -> None:
    try:
        scene.faults.give_own_disk(name)
    except QuartetError as error:
        raise QuartetError(name, f"its data may be in memory: {error.what}", BRING_BACK) from error


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
