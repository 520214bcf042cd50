"""A connection to one machine, over the real protocol to a server on the loopback."""

import fcntl
import hashlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provision.connection import CommandFailedError, Connection, UnreachableError
from provision.connection import machine as connection_module
from provision.errors import QuartetError
from provision.polling import is_reached
from provision.resources import Fact, Packages
from provision.resources.file import FILES
from tests.connection.ssh_parts import DEADLINE_S, STRANGE_TEXT, closed_port, silent, threads_named
from tests.ssh_server import HANG_UP, NO_STATUS, SshServer

pytestmark = pytest.mark.skipif(
    not shutil.which("flock"), reason="flock (util-linux) is not on this host"
)

ELLIPTIC_KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)

Connect = Callable[..., Connection]


def test_machine_with_the_known_key_lets_us_in(host: Connection) -> None:
    assert host.name == "web-01"
    assert host.run("echo hello") == "hello\n"


def test_opening_twice_connects_once(host: Connection) -> None:
    host.open()
    assert host.run("echo again") == "again\n"


def test_machine_that_does_not_know_our_key_refuses_the_login(connect: Connect) -> None:
    with pytest.raises(UnreachableError, match="login refused"):
        connect(key=STRANGE_TEXT).open()


def test_login_that_is_refused_is_called_so_whatever_kind_the_key_is(connect: Connect) -> None:
    with pytest.raises(UnreachableError, match="login refused"):
        connect(key=ELLIPTIC_KEY.decode()).open()


@pytest.mark.parametrize("key", [STRANGE_TEXT, "no key at all"])
def test_nothing_stays_open_where_the_login_failed(
    key: str, connect: Connect, server: SshServer
) -> None:
    host = connect(key=key)
    with pytest.raises(UnreachableError):
        host.open()
    assert silent(server)


def test_key_that_is_not_there_is_named(connect: Connect, tmp_path: Path) -> None:
    host = connect()
    (tmp_path / "id").unlink()
    with pytest.raises(UnreachableError, match=f"the key {tmp_path / 'id'}: .*No such file"):
        host.open()


def test_machine_that_is_off_is_named_with_what_to_do(connect: Connect) -> None:
    port = closed_port()
    with pytest.raises(UnreachableError) as caught:
        connect(port=port).open()
    assert caught.value.where == "web-01"
    assert f"can't be reached at quartet@127.0.0.1:{port}" in caught.value.what
    assert "status" in caught.value.next_step
    assert "web-01" in caught.value.next_step
    assert caught.value.ends_machine


def test_command_is_run_as_root_one_at_a_time(host: Connection, server: SshServer) -> None:
    host.run("echo 'it''s' \"$HOME\"; true")
    assert server.commands[0].startswith("sudo -n -- flock -o -E 75 -w 0 ")


def test_script_of_many_lines_arrives_as_it_is(host: Connection) -> None:
    script = "x='two  spaces'\nprintf '%s\\n' \"$x\" 'a\\b' '$HOME' \"it's\""
    assert host.run(script) == "two  spaces\na\\b\n$HOME\nit's\n"


def test_binary_input_of_three_megabytes_arrives_whole(host: Connection) -> None:
    data = bytes(range(256)) * (3 * 4096)
    digest = hashlib.sha256(data).hexdigest()
    assert host.run("sha256sum", stdin=data) == f"{digest}  -\n"


def test_output_of_megabytes_on_both_streams_blocks_nothing(host: Connection) -> None:
    script = "head -c 3000000 /dev/zero >&2; head -c 2000000 /dev/zero; cat"
    assert len(host.run(script, stdin=b"x" * 1_000_000)) == 3_000_000


def test_input_that_nobody_reads_does_no_harm(host: Connection) -> None:
    assert host.run("echo done", stdin=b"x" * 1_000_000) == "done\n"


def test_thread_that_feeds_a_command_ends_with_it(host: Connection) -> None:
    host.run("true", stdin=b"x" * 10_000_000)
    assert is_reached(lambda: not threads_named("(_feed)"), within_s=DEADLINE_S)


def test_output_that_is_no_text_is_kept(host: Connection) -> None:
    output = host.run("printf '\\377\\0'")
    assert output.encode(errors="surrogateescape") == b"\xff\0"


def test_failed_command_tells_its_status_and_last_lines(host: Connection) -> None:
    with pytest.raises(CommandFailedError) as caught:
        host.run("set -eu\nseq 30\necho sorry >&2\nexit 3")
    error = caught.value
    assert error.exit_code == 3
    lines = str(error).splitlines()
    assert lines[0] == "web-01: `seq 30 …` ended with status 3"
    assert "sorry" in lines
    assert "30" in lines
    assert "1" not in lines
    assert error.next_step


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("cp: x: No space left on device", "the disk is full"),
        ("E: You don't have enough free space in /var/cache", "the disk is full"),
        ("E: Unable to locate package nginxx", "application.packages"),
        ("sudo: a password is required", "sudo without a password"),
    ],
)
def test_common_failures_come_with_their_remedy(output: str, hint: str) -> None:
    assert hint in CommandFailedError("web-01", "x", 1, output).next_step


def test_failed_command_without_output_says_so() -> None:
    assert "it printed nothing" in CommandFailedError("web-01", "", 1, "").what


def test_facts_are_read_in_one_command(host: Connection, server: SshServer, tmp_path: Path) -> None:
    fact = Fact(FILES, str(tmp_path))
    snapshot = host.read([fact, *Packages(("dpkg",)).facts()])
    assert snapshot.get(fact)["type"] == "directory"
    assert len(server.commands) == 1


def test_connections_share_no_settings(connect: Connect) -> None:
    """Making one empties its settings for a moment, in which another thread may need them."""
    one, other = connect(), connect()
    with one, other:
        assert one._fabric is not None
        assert other._fabric is not None
        assert one._fabric.config is not other._fabric.config


def test_machine_where_another_run_is_at_work_is_busy(host: Connection, lock: Path) -> None:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(QuartetError, match="another run has held") as caught:
            host.run("echo hello")
        assert "fuser" in caught.value.next_step
    assert host.run("echo hello") == "hello\n"


@pytest.mark.parametrize("fate", [HANG_UP, NO_STATUS])
def test_connection_that_is_lost_is_no_failed_command(fate: str, host: Connection) -> None:
    with pytest.raises(UnreachableError, match="the connection was lost"):
        host.run(f": {fate}")


def test_run_without_a_connection_is_an_error_to_act_on(connect: Connect) -> None:
    with pytest.raises(UnreachableError):
        connect().run("true")


@pytest.fixture
def crashed_threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Exceptions that nobody caught in a thread; a person would see them as tracebacks."""
    crashed: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda crash: crashed.append(str(crash.thread)))
    monkeypatch.setattr(connection_module, "LOCK_WAIT_S", 0)
    return crashed


def _run_what_hangs(host: Connection) -> QuartetError:
    before = set(threading.enumerate())
    with pytest.raises(QuartetError, match="gave no answer") as caught:
        host.run("exec tail -f /dev/null", timeout_s=0.2)
    for thread in set(threading.enumerate()) - before:
        if "(_drain)" in thread.name:
            thread.join(DEADLINE_S)
    return caught.value


@pytest.mark.usefixtures("crashed_threads")
def test_command_that_hangs_is_given_up(host: Connection) -> None:
    error = _run_what_hangs(host)
    assert not isinstance(error, UnreachableError)
    assert "./lab ssh web-01" in error.next_step


def test_command_that_hangs_leaves_no_traceback(
    host: Connection, crashed_threads: list[str]
) -> None:
    _run_what_hangs(host)
    assert crashed_threads == []
