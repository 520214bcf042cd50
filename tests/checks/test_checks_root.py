"""Becoming root over a real SSH connection; sudo itself is a stand-in that keeps its manners."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.root import Elevation, NoRootError, SudoPassword, elevation, root_host
from checks.ssh import Masters
from tests.checks.conftest import NAME
from tests.checks.forwarding_server import ForwardingServer
from tests.local_host import write_program

# As sudo does it: -S reads one line of stdin and no more, -n never asks.
ASKING_SUDO = """\
refuse() { echo "sudo: $1" >&2; exit 1; }
[ "$1" != -n ] || refuse 'a password is required'
[ "$1 $2 $3 $4 $5" = '-k -S -p  --' ] || exit 64
read -r given || refuse 'no password was provided'
[ "$given" = 'let me in' ] || refuse '1 incorrect password attempt'
shift 5
exec "$@"
"""

Sudo = Callable[[str], None]


def password(text: str) -> SudoPassword:
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return SudoPassword.from_descriptor(reading)


def test_password_is_one_line_and_shown_nowhere() -> None:
    given = password("let me in\nnot this\n")

    assert bytes(given.line) == b"let me in\n"
    for shown in (given, given.line, Elevation.by_sudo(given), Elevation.by_sudo(given).sudo):
        assert "let me in" not in f"{shown!r} {shown}"


def test_password_without_an_end_of_line_counts_too() -> None:
    assert bytes(password("let me in").line) == b"let me in\n"


def test_descriptor_is_read_once() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"let me in\n")
    os.close(writing)
    SudoPassword.from_descriptor(reading)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)


def test_no_password_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no password"):
        password("\n")


def test_sudo_that_asks_nothing_is_never_asked_for_a_password(
    masters: Masters, server: ForwardingServer
) -> None:
    host = root_host(NAME, masters, elevation(masters, NAME, None))

    done = host.run("printf %s", "it's here")

    assert (done.rc, done.stdout) == (0, "it's here")
    assert server.commands[-1].startswith("sudo -n -- /bin/sh -c ")


def test_sudo_gets_the_password_and_the_command_does_not(
    masters: Masters, server: ForwardingServer, sudo: Sudo
) -> None:
    sudo(ASKING_SUDO)
    host = root_host(NAME, masters, elevation(masters, NAME, password("let me in\n")))

    done = host.run("cat; echo $?")

    assert done.stdout == "0\n"
    assert not any("let me in" in command for command in server.commands)
    assert "let me in" not in repr(done)


def test_password_is_kept_from_the_command_where_sudo_does_not_ask(
    masters: Masters, sudo: Sudo
) -> None:
    sudo('shift 5\nexec "$@"')
    host = root_host(NAME, masters, elevation(masters, NAME, password("let me in\n")))

    assert host.run("cat").stdout == ""


def test_exit_status_and_both_streams_come_back(masters: Masters) -> None:
    host = root_host(NAME, masters, elevation(masters, NAME, None))

    done = host.run("echo out; echo err >&2; exit 3")

    assert (done.rc, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_root_needs_no_sudo(masters: Masters, server: ForwardingServer) -> None:
    write_program(server.programs, "id", "echo 0")
    write_program(server.programs, "sudo", "exit 127")

    found = elevation(masters, NAME, password("let me in\n"))
    done = root_host(NAME, masters, found).run("echo root")

    assert found == Elevation()
    assert done.stdout == "root\n"
    assert "sudo" not in server.commands[-1]


@pytest.mark.parametrize(
    ("script", "given", "why"),
    [
        (ASKING_SUDO, "let me out\n", "sudo refused the password"),
        (ASKING_SUDO, None, "sudo asks for a password, and none was given"),
        ("exit 127", None, "there is no sudo, and who logs in is not root"),
        ("echo 'quartet is not in the sudoers file.' >&2; exit 1", None, "not in the sudoers file"),
    ],
)
def test_who_can_not_become_root_is_told_why(
    masters: Masters, sudo: Sudo, script: str, given: str | None, why: str
) -> None:
    sudo(script)

    with pytest.raises(NoRootError, match=why):
        elevation(masters, NAME, password(given) if given else None)


def test_ssh_that_fails_is_an_error(masters: Masters, config: Path) -> None:
    host = root_host(NAME, masters, elevation(masters, NAME, None))
    config.unlink()

    with pytest.raises(RuntimeError, match="ssh_config"):
        host.run("true")
