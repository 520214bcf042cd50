"""Hosts in between: logged in to once for all machines behind them, and never trusted blindly."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provision.connection import (
    Access,
    Connection,
    HostKeyError,
    RunEndingError,
    UnreachableError,
    offered_key,
)
from provision.fleet import Fleet
from provision.lab.base import Endpoint
from provision.polling import is_reached
from tests.connection.ssh_parts import (
    DEADLINE_S,
    KNOWN,
    OTHER,
    closed_port,
    endpoint_of,
    line_of,
    relay_command,
    silent,
    threads_named,
    write_known_hosts,
)
from tests.ssh_server import SshServer

pytestmark = pytest.mark.usefixtures("no_lock")

MakeServer = Callable[[str], SshServer]
MACHINES = ("web-01", "web-02", "db-03")


@pytest.fixture
def jump(make_server: MakeServer) -> SshServer:
    return make_server("jump")


@pytest.fixture
def access(server: SshServer, jump: SshServer, tmp_path: Path) -> Iterator[Access]:
    access = Access(write_known_hosts(tmp_path / "known_hosts", [server, jump]))
    yield access
    access.close()


@pytest.fixture
def behind(server: SshServer, jump: SshServer, key: Path) -> Endpoint:
    """How to reach the machine over the jump host."""
    return endpoint_of(server, key, jump=endpoint_of(jump, key))


def test_machine_is_reached_over_the_host_in_between(
    behind: Endpoint, access: Access, server: SshServer, jump: SshServer
) -> None:
    with Connection("db-03", behind, access) as host:
        assert host.run("cat", stdin=b"x" * 1_000_000) == "x" * 1_000_000
    assert jump.destinations == [("127.0.0.1", server.port)]
    assert jump.commands == []
    access.close()
    assert silent(server, jump)


def test_host_in_between_is_logged_in_to_once_for_all_machines(
    behind: Endpoint, access: Access, server: SshServer, jump: SshServer
) -> None:
    with Fleet(dict.fromkeys(MACHINES, behind), access) as fleet:
        answers = fleet.each(dict.fromkeys(MACHINES, "echo here"), lambda host, it: host.run(it))
    assert answers == dict.fromkeys(MACHINES, "here\n")
    assert (jump.logins, server.logins) == (1, 3)
    assert silent(server, jump)


def test_next_fleet_of_the_same_command_logs_in_anew(
    behind: Endpoint, access: Access, server: SshServer, jump: SshServer
) -> None:
    """As in `up`, which provisions and then verifies."""
    for _ in range(2):
        with Fleet(dict.fromkeys(MACHINES, behind), access) as fleet:
            fleet.connect()
    assert (jump.logins, server.logins) == (2, 6)
    assert offered_key("db-03", behind, access.gateway(behind)).line == line_of(KNOWN)


def test_hosts_in_between_may_stand_one_behind_the_other(
    server: SshServer, jump: SshServer, make_server: MakeServer, key: Path, tmp_path: Path
) -> None:
    outer = make_server("outer")
    access = Access(write_known_hosts(tmp_path / "known_hosts", [server, jump, outer]))
    inner = endpoint_of(jump, key, jump=endpoint_of(outer, key))
    with Connection("db-03", endpoint_of(server, key, jump=inner), access) as host:
        assert host.run("echo here") == "here\n"
    assert outer.destinations == [("127.0.0.1", jump.port)]
    access.close()
    assert silent(server, jump, outer)


def test_host_in_between_that_is_off_is_one_error_for_all_machines(
    server: SshServer, access: Access, key: Path
) -> None:
    port = closed_port()
    behind = endpoint_of(server, key, jump=endpoint_of(server, key, port=port))
    with Fleet(dict.fromkeys(MACHINES, behind), access) as fleet:
        fleet.connect()
        answers = fleet.each(dict.fromkeys(MACHINES, "true"), lambda host, it: host.run(it))
    error = answers["db-03"]
    assert isinstance(error, UnreachableError)
    assert set(map(id, answers.values())) == {id(error)}
    assert error.where == "jump host 127.0.0.1"
    assert "can't be reached" in error.what
    assert error.next_step.endswith(f"ssh -p {port} quartet@127.0.0.1")
    assert server.logins == 0


def test_host_in_between_that_is_off_is_no_reason_to_end_the_run(
    behind: Endpoint, server: SshServer, access: Access, key: Path
) -> None:
    """Who is not behind it may be provisioned all the same."""
    off = endpoint_of(server, key, jump=endpoint_of(server, key, port=closed_port()))
    endpoints = {"lb-01": endpoint_of(server, key), "web-01": behind, "db-03": off}
    with Fleet(endpoints, access) as fleet:
        fleet.connect()
        answers = fleet.each(dict.fromkeys(endpoints, "echo here"), lambda host, it: host.run(it))
    error = answers.pop("db-03")
    assert answers == {"lb-01": "here\n", "web-01": "here\n"}
    assert isinstance(error, UnreachableError)
    assert not isinstance(error, RunEndingError)
    assert error.ends_machine


def test_host_in_between_with_another_key_ends_the_run(
    behind: Endpoint, access: Access, server: SshServer
) -> None:
    write_known_hosts(access.known_hosts, [server])
    with (
        Fleet(dict.fromkeys(MACHINES, behind), access) as fleet,
        pytest.raises(HostKeyError, match=r"^jump host 127\.0\.0\.1: its host key is not known"),
    ):
        fleet.connect()
    assert server.logins == 0


@pytest.mark.parametrize("known", [None, OTHER], ids=["unknown", "changed"])
def test_host_in_between_with_another_key_leads_nowhere(
    known: object, behind: Endpoint, access: Access, server: SshServer, jump: SshServer
) -> None:
    line = f"[127.0.0.1]:{jump.port} {line_of(OTHER)}\n" if known else ""
    access.known_hosts.write_text(f"[127.0.0.1]:{server.port} {line_of(KNOWN)}\n{line}")
    with pytest.raises(HostKeyError) as caught:
        Connection("db-03", behind, access).open()
    assert caught.value.where == "jump host 127.0.0.1"
    assert "./lab trust" in caught.value.next_step
    assert (jump.destinations, server.logins) == ([], 0)
    assert silent(jump)


def test_machine_behind_it_with_another_key_is_told_nothing(
    behind: Endpoint, access: Access, server: SshServer, jump: SshServer
) -> None:
    write_known_hosts(access.known_hosts, [jump])
    with pytest.raises(HostKeyError, match=r"^db-03: its host key is not known yet"):
        Connection("db-03", behind, access).open()
    assert server.commands == []
    assert silent(server)


def test_machine_behind_it_that_is_off_is_no_reason_to_end_the_run(
    jump: SshServer, access: Access, key: Path
) -> None:
    port = closed_port()
    off = endpoint_of(jump, key, port=port, jump=endpoint_of(jump, key))
    with pytest.raises(UnreachableError, match=rf"^db-03: can't be reached at .*:{port}") as caught:
        Connection("db-03", off, access).open()
    assert not isinstance(caught.value, RunEndingError)


def test_host_in_between_that_is_lost_is_logged_in_to_again(
    behind: Endpoint, access: Access, jump: SshServer
) -> None:
    with Connection("db-03", behind, access) as host:
        jump.hang_up()
        assert is_reached(lambda: _is_lost(host), within_s=DEADLINE_S)
        host.open()
        assert host.run("echo again") == "again\n"


def _is_lost(host: Connection) -> bool:
    try:
        host.run("true")
    except UnreachableError:
        return True
    return False


class TestProxyCommand:
    """A program of the user's own makes the connection."""

    @pytest.fixture
    def relay(self, tmp_path: Path) -> str:
        """A command that leads to host %h, port %p, written with what only a shell knows."""
        return f"{relay_command(tmp_path)} %h %p 2>/dev/null"

    def test_machine_is_reached_through_it(
        self, relay: str, server: SshServer, access: Access, key: Path
    ) -> None:
        endpoint = endpoint_of(server, key, proxy_command=relay)
        with Connection("db-03", endpoint, access) as host:
            assert host.run("cat", stdin=b"x" * 1_000_000) == "x" * 1_000_000
        assert _no_program_is_left()

    def test_percent_signs_and_the_user_are_put_in(
        self, server: SshServer, access: Access, key: Path, tmp_path: Path
    ) -> None:
        said = tmp_path / "said"
        endpoint = endpoint_of(server, key, proxy_command=f"echo %r@%h:%p 100%%h > {said}")
        with pytest.raises(UnreachableError):
            Connection("db-03", endpoint, access).open()
        assert said.read_text() == f"quartet@127.0.0.1:{server.port} 100%h\n"

    @pytest.mark.parametrize("command", ["false", "/nonexistent/program"])
    def test_program_that_ends_is_a_machine_out_of_reach(
        self, command: str, server: SshServer, access: Access, key: Path
    ) -> None:
        endpoint = endpoint_of(server, key, proxy_command=command)
        with pytest.raises(UnreachableError, match="db-03: can't be reached"):
            Connection("db-03", endpoint, access).open()
        assert _no_program_is_left()

    def test_program_ends_where_the_host_key_is_not_known(
        self, relay: str, server: SshServer, access: Access, key: Path
    ) -> None:
        access.known_hosts.write_text("")
        endpoint = endpoint_of(server, key, proxy_command=relay)
        with pytest.raises(HostKeyError):
            Connection("db-03", endpoint, access).open()
        assert _no_program_is_left()
        assert silent(server)


def _no_program_is_left() -> bool:
    return is_reached(lambda: not threads_named("proxy command"), within_s=DEADLINE_S)
