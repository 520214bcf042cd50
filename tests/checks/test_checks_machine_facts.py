import os
import subprocess
from pathlib import Path

import pytest

from checks import machine_facts
from checks.clocks import Offset
from checks.expectations import UnmetError
from checks.machine_facts import (
    BACKUPS,
    EVERYWHERE,
    MachineFacts,
    Output,
    commands_for,
    parse,
    script,
)
from provision.topology import load
from tests.checks.shapes import TEN, write_shape


def facts(**texts: str) -> MachineFacts:
    names = {name.replace("_", " "): Output(text, 0) for name, text in texts.items()}
    return MachineFacts(names, clock=Offset(0, 0))


def test_script_keeps_outputs_and_statuses_apart() -> None:
    commands = {
        "quotes": """printf '%s\n' "it's"; echo two""",
        "both streams": "echo out; echo err >&2",
        "fails": "exit 3",
        "nothing": "true",
    }

    ran = subprocess.run(
        ["sh", "-c", script(commands)], capture_output=True, text=True, check=False
    )

    assert parse(ran.stdout) == {
        "quotes": Output("it's\ntwo\n", 0),
        "both streams": Output("out\nerr\n", 0),
        "fails": Output("", 3),
        "nothing": Output("", 0),
    }


def test_only_installed_packages_count() -> None:
    found = facts(packages="nginx installed\nnsd config-files\nmysql-server installed\n")

    assert found.packages == {"nginx", "mysql-server"}


@pytest.mark.parametrize(
    ("line", "socket"),
    [
        ("tcp LISTEN 0 511 192.168.56.11:80 0.0.0.0:*", "tcp 192.168.56.11:80"),
        ("tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:*", "tcp *:80"),
        ("tcp LISTEN 0 511 [::]:80 [::]:*", "tcp *:80"),
        ("tcp LISTEN 0 511 *:22 *:*", "tcp *:22"),
        ("udp UNCONN 0 0 10.0.2.15%eth0:68 0.0.0.0:*", "udp 10.0.2.15:68"),
        ("tcp LISTEN 0 16 [::1]:8952 [::]:*", "tcp ::1:8952"),
    ],
)
def test_listening_sockets_are_named_alike(line: str, socket: str) -> None:
    assert facts(sockets=line + "\n").listening == {socket}


def test_units_are_known_by_their_full_names() -> None:
    text = "Id=nginx.service\nActiveState=active\n\nId=app.socket\nActiveState=inactive\n"

    units = facts(units=text).units

    assert units["nginx.service"]["ActiveState"] == "active"
    assert units["app.socket"]["ActiveState"] == "inactive"


def test_processes_are_grouped_by_their_parents() -> None:
    found = facts(processes="root 1 0 /sbin/init\napp 10 1 gunicorn\napp 11 10 gunicorn worker\n")

    assert found.children[10] == [("app", 11)]
    assert found.owners[10] == "app"


def test_modes_are_told_with_their_owners() -> None:
    found = facts(modes="/etc/app/environment|600|root|root\n")

    assert found.modes == {"/etc/app/environment": ("600", "root:root")}


def test_sockets_of_a_unit_are_those_of_its_whole_family() -> None:
    found = facts(
        units="Id=haproxy.service\nMainPID=10\n\nId=mysql.service\nMainPID=0\n",
        processes="root 1 0 init\nroot 10 1 haproxy\nhaproxy 11 10 haproxy\nbob 12 1 python3\n",
        sockets='tcp LISTEN 0 5 0.0.0.0:80 0.0.0.0:* users:(("haproxy",pid=11,fd=5))\n'
        'tcp LISTEN 0 5 0.0.0.0:9999 0.0.0.0:* users:(("python3",pid=12,fd=3))\n',
    )

    assert found.listening == {"tcp *:80", "tcp *:9999"}
    assert found.listening_of("haproxy.service") == {"tcp *:80"}
    assert found.listening_of("mysql.service") == set()


@pytest.mark.parametrize(("provider", "searches_home"), [("ssh", False), ("nspawn", True)])
def test_peoples_own_files_are_searched_on_machines_of_ours_alone(
    tmp_path: Path, provider: str, searches_home: bool
) -> None:
    shape = TEN.replace("provider: ssh", f"provider: {provider}")
    topology = load(write_shape(tmp_path, shape))

    command = commands_for(topology.load_balancer, topology)["open secrets"]

    assert ("/home" in command) == searches_home
    assert "/etc/app" in command


@pytest.mark.parametrize(
    "secret",
    ["-----BEGIN PRIVATE KEY-----", "DATABASE_PASSWORD=hush", '  "password": "hush"'],
    ids=["key", "environment", "JSON"],
)
@pytest.mark.parametrize(("mode", "is_found"), [(0o600, False), (0o644, True)])
def test_secret_that_everybody_can_read_is_found(
    tmp_path: Path, secret: str, mode: int, is_found: bool
) -> None:
    (tmp_path / "harmless").write_text("DATABASE_PASSWORD=\n")
    (path := tmp_path / "secret").write_text(f"one\n{secret}\n")
    path.chmod(mode)

    command = EVERYWHERE["open secrets"] % tmp_path
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == ([str(path)] if is_found else [])


def test_command_that_was_cut_off_has_found_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_facts, "TIMEOUT_S", 0.2)
    ran = subprocess.run(
        ["sh", "-c", script({"slow": "echo /etc/key; exec sleep 9", "quick": "echo well"})],
        capture_output=True,
        text=True,
        check=False,
    )

    found = MachineFacts(parse(ran.stdout), clock=Offset(0, 0))

    assert found["quick"].lines == ["well"]
    with pytest.raises(UnmetError) as caught:
        found["slow"]
    assert caught.value.expected == "slow: an answer within 0.2 s"
    assert caught.value.found == "cut off, having said: /etc/key"


AGE = "age-encryption.org/v1\n-> X25519 rest"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of encrypted files, more logs among them than are looked at."""
    for folder in ("dumps", "logs", "before-20260101T000000Z/logs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "began").write_text("2026-01-01")
    (tmp_path / "dumps" / "1.age").write_text(AGE)
    (tmp_path / "dumps" / "1.age.json").write_text("{}")
    (tmp_path / "dumps" / "2.age.partial").touch()
    (tmp_path / "dumps" / "2.age.json.partial").write_text("{")
    for number in range(60):
        (tmp_path / "logs" / f"{number}.age").write_text(AGE)
    return tmp_path


def in_the_clear(archive: Path) -> list[str]:
    command = BACKUPS["archived in the clear"].replace("/var/backups/quartet", str(archive))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_nothing_of_an_encrypted_archive_is_in_the_clear(archive: Path) -> None:
    assert in_the_clear(archive) == []


@pytest.mark.parametrize(
    "name", ["dumps/0.age", "dumps/dump.sql", "logs/0 0", "before-20260101T000000Z/logs/0.age"]
)
@pytest.mark.parametrize("content", [b"-- MySQL dump", b"\x1f\x8b\x08", bytes(30)])
def test_file_in_the_clear_is_found_whatever_its_name(
    archive: Path, name: str, content: bytes
) -> None:
    (archive / name).write_bytes(content)

    assert in_the_clear(archive) == [str(archive / name)]


def test_newest_of_a_folder_are_looked_at(archive: Path) -> None:
    (archive / "logs" / "plain").write_text("plain")
    os.utime(archive / "logs" / "plain", (0, 0))

    assert in_the_clear(archive) == []
