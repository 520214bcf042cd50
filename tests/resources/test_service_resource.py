"""Services: started, restarted or reloaded by need, and never forgotten after a cut-off run."""

from pathlib import Path

import pytest

from provision.connection import CommandFailedError
from provision.resources import File, Service, changed_keys
from provision.resources.facts import parse_answers
from provision.resources.site import DefaultSite
from tests.local_host import LocalHost, write_program
from tests.recording_host import RecordingHost

CONFIG = File("/etc/a.conf", "one")
ZONE = File("/etc/zone", "one")
DEFAULT = DefaultSite()
SERVICE = Service("a", restart_on=(CONFIG,), reload_on=(ZONE,), watches=(DEFAULT,))

# A systemctl of one unit: its properties stand in the file `unit`, what it is told in `told`.
SYSTEMCTL = """\
cd "$(dirname "$0")"
case $1 in
show)
    case "$*" in
    *--value*) if rm settling 2>/dev/null; then echo reloading; else echo active; fi ;;
    *) cat unit ;;
    esac ;;
daemon-reload) echo "$1" >> told; sed -i s/NeedDaemonReload=yes/NeedDaemonReload=no/ unit ;;
enable) echo "$1" >> told; sed -i s/UnitFileState=disabled/UnitFileState=enabled/ unit ;;
reset-failed) echo "$1" >> told; exit 1 ;;
status) echo "a.service: main process exited" ;;
*) echo "$1" >> told; [ ! -e broken ] || exit 1
   sed -i s/ActiveState=.*/ActiveState=active/ unit ;;
esac
"""


@pytest.fixture
def systemctl(tmp_path: Path) -> Path:
    return write_program(tmp_path / "bin", "systemctl", SYSTEMCTL).parent


def _set_unit(
    folder: Path, active: str = "active", enabled: str = "enabled", reload: str = "no"
) -> None:
    (folder / "unit").write_text(
        f"Id=a.service\nActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={reload}\n"
    )


def _verb(changes: dict[str, str], service: Service = SERVICE) -> str:
    host = RecordingHost()
    service.apply(host, changes)
    line = next(line for line in host.calls[0].script.splitlines() if line.endswith("|| {"))
    return line.split()[1]


@pytest.mark.parametrize(
    ("changes", "verb"),
    [
        ({"enabled": "disabled"}, "start"),
        ({"unit file": "changed"}, "start"),
        ({"active": "inactive"}, "restart"),
        ({"active": "failed", "reloaded with": "unknown"}, "restart"),
        ({"restarted with": "unknown"}, "restart"),
        ({"restarted with": "unknown", "reloaded with": "unknown"}, "restart"),
        ({"reloaded with": "unknown"}, "reload-or-restart"),
        ({"triggered": ZONE.id}, "reload-or-restart"),
        ({"triggered": DEFAULT.id}, "reload-or-restart"),
        ({"triggered": f"{ZONE.id}\n{DEFAULT.id}"}, "reload-or-restart"),
        ({"triggered": CONFIG.id}, "restart"),
        ({"triggered": f"{ZONE.id}\n{CONFIG.id}"}, "restart"),
        ({"triggered": ZONE.id, "restarted with": "other"}, "restart"),
    ],
)
def test_service_does_no_more_than_its_changes_need(changes: dict[str, str], verb: str) -> None:
    assert _verb(changes) == verb


@pytest.mark.parametrize(
    ("changes", "effects"),
    [
        ({"enabled": "disabled"}, ["enabled: disabled → enabled"]),
        ({"unit file": "changed"}, ["unit file: changed → loaded"]),
        ({"active": "failed", "restarted with": "unknown"}, ["active: failed → active"]),
        ({"restarted with": "f00d", "reloaded with": "unknown"}, ["restarts"]),
        ({"reloaded with": "f00d"}, ["reloads"]),
        ({"triggered": ZONE.id}, ["reloads"]),
        ({"triggered": f"{ZONE.id}\n{CONFIG.id}"}, ["restarts"]),
        (
            {"unit file": "changed", "triggered": ZONE.id},
            ["unit file: changed → loaded", "reloads"],
        ),
        ({"enabled": "absent", "active": "inactive", "restarted with": "unknown"}, []),
    ],
)
def test_plan_says_what_becomes_of_a_service(changes: dict[str, str], effects: list[str]) -> None:
    assert SERVICE.effects(changes) == effects


def test_service_is_triggered_by_all_that_it_reads() -> None:
    assert set(SERVICE.triggers) == {CONFIG.id, ZONE.id, DEFAULT.id}


@pytest.mark.parametrize(
    ("other", "key"),
    [
        (Service("a", (File("/etc/a.conf", "two"),), (ZONE,)), "restarted with"),
        (Service("a", (File("/etc/b.conf", "one"),), (ZONE,)), "restarted with"),
        (Service("a", (CONFIG,), (ZONE,), version="two"), "restarted with"),
        (Service("a", (CONFIG,), (File("/etc/zone", "two"),)), "reloaded with"),
    ],
    ids=["content", "path", "version", "content to reload"],
)
def test_what_a_service_loads_is_known_by_its_digest(other: Service, key: str) -> None:
    mine, theirs = SERVICE.desired(), other.desired()
    assert [name for name in mine if mine[name] != theirs[name]] == [key]


@pytest.mark.parametrize(
    ("name", "unit"), [("nginx", "nginx.service"), ("app.socket", "app.socket")]
)
def test_unit_has_its_full_name(name: str, unit: str) -> None:
    assert Service(name).unit == unit


def test_several_units_are_read_with_their_stamps() -> None:
    output = (
        "\n--quartet-fact services\n"
        "Id=a.service\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n\n"
        "Id=b.service\nActiveState=failed\nUnitFileState=disabled\nNeedDaemonReload=yes\n\n"
        "Id=c.service\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n"
        "\nId=a.service\nStamp=one two\n"
        "\nId=b.service\nStamp=one\n"
    )
    services = [Service("a"), Service("b"), Service("c"), Service("d")]
    snapshot = parse_answers([fact for each in services for fact in each.facts()], output)
    states = [tuple(each.actual(snapshot).values()) for each in services]
    assert states == [
        ("enabled", "active", "loaded", "one", "two"),
        ("disabled", "failed", "changed", "one", "unknown"),
        ("absent", "inactive", "loaded", "unknown", "unknown"),
        ("absent", "absent", "loaded", "unknown", "unknown"),
    ]


def test_service_that_runs_with_its_files_is_left_alone(systemctl: Path) -> None:
    _set_unit(systemctl)
    host = LocalHost(systemctl)
    assert host.ensure(SERVICE) == {}
    (systemctl / "told").unlink()
    assert host.ensure(SERVICE) == {}
    assert not (systemctl / "told").exists()


@pytest.mark.parametrize(
    ("active", "enabled", "reload"),
    [("inactive", "disabled", "yes"), ("failed", "enabled", "no"), ("active", "disabled", "no")],
)
def test_service_is_brought_up_from_any_state(
    active: str, enabled: str, reload: str, systemctl: Path
) -> None:
    _set_unit(systemctl, active, enabled, reload)
    assert LocalHost(systemctl).ensure(SERVICE) == {}
    told = (systemctl / "told").read_text().split()
    assert told == ["daemon-reload", "enable", "reset-failed", "restart"]


def test_service_that_does_not_start_leaves_no_stamp_and_says_why(
    systemctl: Path, loaded: Path
) -> None:
    _set_unit(systemctl, "inactive")
    (systemctl / "broken").touch()
    with pytest.raises(CommandFailedError, match="main process exited"):
        LocalHost(systemctl).ensure(SERVICE)
    assert list(loaded.iterdir()) == []


def test_service_that_is_still_reloading_is_waited_for(systemctl: Path, loaded: Path) -> None:
    _set_unit(systemctl)
    (systemctl / "settling").touch()
    assert LocalHost(systemctl).ensure(SERVICE) == {}
    assert not (systemctl / "settling").exists()
    assert (loaded / "a.service").exists()


def test_run_cut_off_before_the_reload_is_finished_by_the_next(
    systemctl: Path, tmp_path: Path
) -> None:
    _set_unit(systemctl)
    host = LocalHost(systemctl)
    path = str(tmp_path / "config")

    def config(content: str) -> File:
        return File(path, content, loaded_by=("a.service",))

    for content in ("one", "two"):
        host.ensure(config(content))
    old, new = (Service("a", reload_on=(config(content),)) for content in ("one", "two"))
    host.ensure(old)
    host.ensure(config("two"))  # and the run ends here
    assert list(host.changes(new)) == ["reloaded with"]
    (systemctl / "told").unlink()
    assert host.ensure(new) == {}
    assert "reload-or-restart" in (systemctl / "told").read_text()


def test_file_changed_there_and_back_is_loaded_again(systemctl: Path, tmp_path: Path) -> None:
    _set_unit(systemctl)
    host = LocalHost(systemctl)
    config = File(str(tmp_path / "config"), "one", loaded_by=("a.service",))
    service = Service("a", restart_on=(config,))
    host.ensure(config)
    host.ensure(service)
    (tmp_path / "config").write_text("by hand")
    host.ensure(config)
    changes = changed_keys(service, host.read(service.facts()))
    assert list(changes) == ["restarted with", "reloaded with"]
