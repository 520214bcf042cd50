"""SSH connections, over the real protocol to a server on the loopback."""

import fcntl
import hashlib
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provision.connection import Access, CommandFailedError, Connection, UnreachableError
from provision.connection import machine as connection_module
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.lab.base import Endpoint
from provision.lab.keys import new_key_pair
from provision.resources import Fact, Packages
from provision.resources.file import FILES
from tests.site_parts import TOPOLOGY
from tests.ssh_server import HANG_UP, NO_STATUS, SshServer

pytestmark = pytest.mark.skipif(
    not shutil.which("flock"), reason="flock (util-linux) is not on this host"
)


def _new_key() -> paramiko.Ed25519Key:
    return paramiko.Ed25519Key.from_private_key(StringIO(new_key_pair("a test").private))


KNOWN, OTHER = _new_key(), _new_key()
# Made as text, since paramiko can't write keys of this kind.
MY_TEXT, STRANGE_TEXT = new_key_pair("mine").private, new_key_pair("not let in").private
MINE = paramiko.Ed25519Key.from_private_key(StringIO(MY_TEXT))
ELLIPTIC_KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)

DEADLINE_S = 10

Connect = Callable[..., Connection]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(client_key=MINE, host_key=KNOWN, programs=tmp_path / "programs")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's lock, below tmp_path and without a wait for it."""
    lock = tmp_path / "machine.lock"
    argv = [*connection_module._ONE_AT_A_TIME]
    argv[argv.index(connection_module.LOCK)] = str(lock)
    argv[argv.index("-w") + 1] = "0"
    monkeypatch.setattr(connection_module, "_ONE_AT_A_TIME", tuple(argv))
    return lock


def _write_key(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def _known_hosts(path: Path, port: int, key: paramiko.PKey | None) -> Path:
    line = f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n" if key else ""
    path.write_text(line)
    return path


@pytest.fixture
def connect(server: SshServer, tmp_path: Path) -> Iterator[Connect]:
    """Make a connection, not opened yet, to the server or another port."""
    made: list[Connection] = []

    def connect(
        known: paramiko.PKey | None = KNOWN, key: str = MY_TEXT, port: int = 0
    ) -> Connection:
        port = port or server.port
        private = _write_key(tmp_path / "id", key)
        endpoint = Endpoint("127.0.0.1", port, "quartet", private)
        known_hosts = _known_hosts(tmp_path / "known_hosts", port, known)
        made.append(Connection("web-01", endpoint, Access(known_hosts)))
        return made[-1]

    yield connect
    for each in made:
        each.close()


@pytest.fixture
def host(connect: Connect) -> Iterator[Connection]:
    with connect() as host:
        yield host


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_machine_with_the_known_key_lets_us_in(host: Connection) -> None:
    assert host.name == "web-01"
    assert host.run("echo hello") == "hello\n"


def test_opening_twice_connects_once(host: Connection) -> None:
    host.open()
    assert host.run("echo again") == "again\n"


@pytest.mark.parametrize(
    ("known", "reason"),
    [(None, "its host key is not known yet"), (OTHER, "its host key has changed")],
    ids=["unknown", "changed"],
)
def test_machine_with_another_key_is_refused(
    known: paramiko.PKey | None, reason: str, connect: Connect, server: SshServer
) -> None:
    host = connect(known)
    with pytest.raises(UnreachableError, match=reason):
        host.open()
    assert server.commands == []


def test_machine_that_does_not_know_our_key_refuses_the_login(connect: Connect) -> None:
    with pytest.raises(UnreachableError, match="login refused"):
        connect(key=STRANGE_TEXT).open()


def test_login_that_is_refused_is_called_so_whatever_kind_the_key_is(connect: Connect) -> None:
    with pytest.raises(UnreachableError, match="login refused"):
        connect(key=ELLIPTIC_KEY.decode()).open()


def test_machine_that_is_off_is_named_with_what_to_do(connect: Connect) -> None:
    port = _closed_port()
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


class TestFleet:
    @pytest.fixture
    def fleet(self, server: SshServer, tmp_path: Path) -> Iterator[Fleet]:
        """All machines are the one server; db-03 is off."""
        off = _closed_port()
        key = _write_key(tmp_path / "id", MY_TEXT)
        known_hosts = _known_hosts(tmp_path / "known_hosts", server.port, KNOWN)

        ports = {m.name: off if m.name == "db-03" else server.port for m in TOPOLOGY.machines}
        endpoints = {
            name: Endpoint("127.0.0.1", port, "quartet", key) for name, port in ports.items()
        }
        with Fleet(endpoints, Access(known_hosts)) as fleet:
            yield fleet

    @pytest.fixture(autouse=True)
    def _no_lock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """These machines are one, so they can't each be busy."""
        monkeypatch.setattr(connection_module, "_ONE_AT_A_TIME", ())

    def test_each_machine_answers_for_itself_or_says_why_not(self, fleet: Fleet) -> None:
        scripts = {"lb-01": "echo lb", "web-01": "exit 3", "db-03": "echo db"}
        answers = fleet.each(scripts, lambda host, script: host.run(script))
        assert list(answers) == ["lb-01", "web-01", "db-03"]
        assert answers["lb-01"] == "lb\n"
        assert isinstance(answers["web-01"], CommandFailedError)
        assert isinstance(answers["db-03"], UnreachableError)
        assert str(answers["db-03"]).startswith("db-03: ")

    def test_nobody_asked_is_nothing_done(self, fleet: Fleet, server: SshServer) -> None:
        nothing: dict[str, str] = {}
        assert fleet.each(nothing, lambda host, script: host.run(script)) == {}
        assert server.commands == []

    def test_connections_are_found_by_name(self, fleet: Fleet) -> None:
        assert fleet["web-02"].name == "web-02"

    def test_unexpected_exception_is_not_swallowed(self, fleet: Fleet) -> None:
        def crash(host: Connection, script: str) -> str:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fleet.each({"lb-01": ""}, crash)
