"""System users and the application's migration."""

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


def _migration(folder: Path, command: str, version: str = "r1 on web-01") -> Migration:
    environment = folder / "environment"
    environment.write_text("PASSWORD=s3cret\n")
    return Migration(("sh", "-c", command), str(folder), "app", str(environment), version)


def test_migration_is_run_once_for_each_version(
    tmp_path: Path, programs: Path, stamp: Path
) -> None:
    host = LocalHost(programs)
    command = 'echo "$PASSWORD in $(basename "$PWD")" >> ran'
    for version in ("r1 on web-01", "r1 on web-01", "r1 on web-02"):
        assert host.ensure(_migration(tmp_path, command, version)) == {}
    assert (tmp_path / "ran").read_text() == f"s3cret in {tmp_path.name}\n" * 2
    assert stamp.read_text() == "r1 on web-02"


def test_migration_that_fails_says_why_and_is_run_again(
    tmp_path: Path, programs: Path, stamp: Path
) -> None:
    host = LocalHost(programs)
    failing = _migration(tmp_path, "echo no such table >&2; exit 3")
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
