"""Names that the application needs and somebody else has."""

from collections.abc import Iterator

from provision.errors import QuartetError
from provision.refusals import ours
from provision.resources import Fact, Snapshot
from provision.resources.file import FILES
from provision.resources.user import USERS
from provision.roles import app
from provision.site_paths import APP_ROOT
from provision.topology import Machine, Role, Topology

USER = Fact(USERS, app.USER)
PATHS = (APP_ROOT, app.CONFIG, app.UNIT, app.SOCKET_UNIT)


def facts(machine: Machine) -> list[Fact]:
    """What has to be known of users, folders and units."""
    if not machine.has(Role.WEB):
        return []
    return [USER, *[Fact(FILES, path) for path in PATHS], *ours.facts(*PATHS)]


def refusals(machine: Machine, _: Topology, snapshot: Snapshot) -> Iterator[QuartetError]:
    """Find what is there already, and not from us."""
    if not machine.has(Role.WEB):
        return
    # Ours is made after this folder, which is noted before it is made.
    if snapshot.get(USER) is not None and not ours.is_ours(snapshot, APP_ROOT):
        yield QuartetError(
            machine.name,
            f"has a user {app.USER!r} already, and not from Quartet",
            f"rename that user there (`sudo usermod --login NEW {app.USER}`) and in what runs as"
            " it, or give the role web to another machine",
        )
    for path in PATHS:
        if snapshot.get(Fact(FILES, path)) is not None and not ours.is_ours(snapshot, path):
            yield QuartetError(
                machine.name,
                f"{path} is there already, and not from Quartet",
                "move it away, or give the role web to another machine",
            )
