"""System users and the application's migration."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.connection import CommandFailedError
from provision.resources import User, migration
from provision.resources.migration import Migration
from tests.local_host import LocalHost, write_program
from tests.recording_host import RecordingHost

# Runs what it is given as systemd would: in the folder, with the environment of the file.
SYSTEMD_RUN = """\
while [ "$1" != -- ]; do
    case $1 in
    --property=WorkingDirectory=*) cd "${1#*=*=}" ;;
    --property=EnvironmentFile=*) set -a; . "${1#*=*=}"; set +a ;;
    esac
    shift
done
shift; exec "$@"
"""


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        (
            {"shell": "absent"},
            "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin app",
        ),
        ({"shell": "/bin/bash"}, "usermod --shell /usr/sbin/nologin app"),
    ],
)
def test_user_is_made_or_mended(changes: dict[str, str], command: str) -> None:
    host = RecordingHost()
    User("app").apply(host, changes)
    assert [call.script for call in host.calls] == [command]


def test_users_of_this_machine_are_read() -> None:
    host = LocalHost()
    assert host.changes(User("daemon")) == {}
    assert host.changes(User("nobody-is-called-this")) == {"shell": "absent"}


@pytest.fixture
def stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "migrated"
    monkeypatch.setattr(migration, "STAMP", str(path))
    return path


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    # The one folder that is not the stamp's own is not made on the machine that runs the tests.
    write_program(tmp_path / "bin", "mkdir", "exit 0")
    return write_program(tmp_path / "bin", "systemd-run", SYSTEMD_RUN).parent


class Database:
    """Listens on a port of its own; greets each client with the next of `greetings`, then the last.

    An empty greeting is a load balancer's without a server: it hangs up at once.
    """

    def __init__(self, *greetings: bytes) -> None:
        self.greeted: list[bytes] = []
        self._greetings = list(greetings)
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()
        return host, port

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            greeting = self._greetings.pop(0) if len(self._greetings) > 1 else self._greetings[0]
            with client:
                client.sendall(greeting)
            self.greeted.append(greeting)

    def close(self) -> None:
        # Closing alone would leave its thread in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database(b"J")
    yield database
    database.close()


@pytest.fixture
def late_database() -> Iterator[Database]:
    database = Database(b"", b"", b"J")
    yield database
    database.close()


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(migration, "READY_S", 0.3)
    database = Database(b"")
    yield database
    database.close()


def _migration(
    folder: Path,
    command: str,
    version: str = "r1",
    ready: tuple[str, int] = ("127.0.0.1", 6446),
) -> Migration:
    environment = folder / "environment"
    environment.write_text("PASSWORD=s3cret\n")
    return Migration(("sh", "-c", command), str(folder), "app", str(environment), version, ready)


def test_migration_is_run_once_for_each_version(
    tmp_path: Path, programs: Path, stamp: Path, database: Database
) -> None:
    host = LocalHost(programs)
    command = 'echo "$PASSWORD in $(basename "$PWD")" >> ran'
    for version in ("r1", "r1", "r2"):
        assert host.ensure(_migration(tmp_path, command, version, database.address)) == {}
    assert (tmp_path / "ran").read_text() == f"s3cret in {tmp_path.name}\n" * 2
    assert stamp.read_text() == "r2"


def test_plan_names_the_command_of_a_migration(tmp_path: Path) -> None:
    effects = _migration(tmp_path, "echo it").effects({"migrated": "never"})
    assert effects == ["runs sh -c 'echo it'"]


def test_migration_waits_for_a_server_that_speaks_first(
    tmp_path: Path, programs: Path, stamp: Path, late_database: Database
) -> None:
    host = LocalHost(programs)
    assert host.ensure(_migration(tmp_path, "echo >> ran", ready=late_database.address)) == {}
    assert late_database.greeted == [b"", b"", b"J"]
    assert (tmp_path / "ran").read_text() == "\n"


def test_migration_without_a_database_is_not_run(
    tmp_path: Path, programs: Path, stamp: Path, no_database: Database
) -> None:
    host = LocalHost(programs)
    ready = no_database.address
    with pytest.raises(CommandFailedError, match=f"takes writes at 127.0.0.1:{ready[1]} after"):
        host.ensure(_migration(tmp_path, "echo >> ran", ready=ready))
    assert no_database.greeted
    assert not (tmp_path / "ran").exists()
    assert not stamp.exists()


def test_migration_that_fails_says_why_and_is_run_again(
    tmp_path: Path, programs: Path, stamp: Path, database: Database
) -> None:
    host = LocalHost(programs)
    failing = _migration(tmp_path, "echo no such table >&2; exit 3", ready=database.address)
    with pytest.raises(CommandFailedError, match="no such table"):
        host.ensure(failing)
    assert not stamp.exists()
    assert host.changes(failing) == {"migrated": "never"}


def test_migration_runs_as_the_applications_user_with_a_time_limit(tmp_path: Path) -> None:
    host = RecordingHost()
    _migration(tmp_path, "true").apply(host, {"migrated": "never"})
    script = host.calls[0].script
    assert "--property=User=app" in script
    assert f"--property=RuntimeMaxSec={migration.MIGRATION_TIMEOUT_S}" in script
    assert host.calls[0].timeout_s > migration.MIGRATION_TIMEOUT_S
    assert "s3cret" not in script
