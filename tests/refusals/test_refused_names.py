"""Names that the application needs and somebody else has."""

from dataclasses import replace

import pytest

from provision.roles import app, haproxy
from provision.topology import Role
from tests.refusals.refusal_parts import FOLDER, NOTES, Server, noted, refused
from tests.site_parts import TOPOLOGY, site_of, variant

PATHS = [
    "/srv/app",
    "/etc/app",
    "/etc/systemd/system/app.service",
    "/etc/systemd/system/app.socket",
]
LOGIN = "app:x:1000:1000::/home/app:{}\n"


@pytest.mark.parametrize("path", PATHS)
def test_what_is_there_already_is_not_taken_over(path: str) -> None:
    assert refused("web-01", paths=(path,)) == [f"{path} is there already, and not from Quartet"]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_ours_is_no_obstacle(path: str) -> None:
    assert refused("web-01", paths=noted(path)) == []


def test_each_is_judged_for_itself() -> None:
    ours, theirs = PATHS[:2], PATHS[2:]
    said = refused("web-01", paths=(*noted(*ours), *theirs))
    assert [what.split()[0] for what in said] == theirs


def test_machine_that_serves_no_web_may_have_all_of_them() -> None:
    assert refused("lb-01", paths=tuple(PATHS), users=LOGIN.format("/bin/bash")) == []


@pytest.mark.parametrize("shell", ["/bin/bash", "/usr/sbin/nologin", "/bin/false"])
def test_user_of_the_name_is_somebody_or_their_daemons(shell: str) -> None:
    (what,) = refused("web-01", users=LOGIN.format(shell))
    assert what == "has a user 'app' already, and not from Quartet"
    assert refused("web-01", users=LOGIN.format(shell), paths=noted("/srv/app")) == []


def test_user_of_a_run_that_was_cut_off_is_ours() -> None:
    """The folder's note tells so, and has to be there first."""
    steps = [each.id for each in app.resources(TOPOLOGY.machine("web-01"), site_of())]
    assert steps.index("directory /srv/app") < steps.index("user app")


def test_machine_of_ours_that_gets_another_role_is_new_to_that() -> None:
    """Else the second role would take over what the first never looked at."""
    balancer, *others = TOPOLOGY.machines
    both = replace(balancer, roles=(Role.HAPROXY, Role.WEB))
    topology = variant(machines=(both, *others))
    paths = (*noted(haproxy.CONFIG), "/srv/app")
    assert refused("lb-01", topology, paths=paths) == [
        "/srv/app is there already, and not from Quartet"
    ]


def test_computer_that_has_labs_is_not_ours_for_that() -> None:
    """They are kept in the folder that has the notes on other machines."""
    users = LOGIN.format("/bin/bash")
    assert len(refused("web-01", paths=(FOLDER, *PATHS), users=users)) == 1 + len(PATHS)


def test_names_are_read_from_the_machine(server: Server) -> None:
    assert server.refused("web-01") == []
    server.folder("/srv/app")
    server.file("/etc/systemd/system/app.socket")
    server.says("getent", LOGIN.format("/bin/bash"))
    user, *taken = server.refused("web-01")
    assert user == "has a user 'app' already, and not from Quartet"
    assert [what.split()[0] for what in taken] == ["/srv/app", "/etc/systemd/system/app.socket"]
    server.folder(f"{NOTES}/srv/app")
    server.file(f"{NOTES}/etc/systemd/system/app.socket")
    assert server.refused("web-01") == []
