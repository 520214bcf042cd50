"""The controller's SSH files: for this lab alone, and for the owner's eyes only."""

import subprocess
from pathlib import Path

import pytest

from provision.lab.base import Endpoint
from provision.lab.client import SshClient, without_hosts
from provision.lab.keys import new_key_pair, public_half

KEY = "ssh-ed25519 AAAAC3Nza"


@pytest.fixture
def client(tmp_path: Path) -> SshClient:
    return SshClient(tmp_path / ".quartet")


def test_key_is_made_once_and_only_for_its_owner(client: SshClient) -> None:
    public = client.public_key()
    assert client.public_key() == public
    assert client.key.stat().st_mode & 0o777 == 0o600
    assert client.folder.stat().st_mode & 0o777 == 0o700


def test_public_half_follows_from_the_private_key() -> None:
    pair = new_key_pair("somebody")
    assert public_half(pair.private, "somebody") == pair.public


def test_key_pair_never_shows_its_private_half() -> None:
    pair = new_key_pair("somebody")
    assert "PRIVATE" not in repr(pair)


def test_rebuilt_machine_replaces_its_old_key(client: SshClient) -> None:
    client.trust({"web-01": ("10.9.8.11", f"{KEY}old"), "web-02": ("10.9.8.12", KEY)})
    client.trust({"web-01": ("10.9.8.11", f"{KEY}new")})
    assert client.known_hosts.read_text().splitlines() == [
        f"web-02,10.9.8.12 {KEY}",
        f"web-01,10.9.8.11 {KEY}new",
    ]


def test_moved_machine_leaves_no_key_at_its_old_address(client: SshClient) -> None:
    client.trust({"web-01": ("10.9.8.11", KEY)})
    client.trust({"web-01": ("10.9.8.99", KEY)})
    assert client.known_hosts.read_text() == f"web-01,10.9.8.99 {KEY}\n"


def test_destroyed_machine_is_no_longer_known(client: SshClient) -> None:
    client.trust({"web-01": ("10.9.8.11", KEY), "web-02": ("10.9.8.12", KEY)})
    client.distrust(["web-01"])
    assert client.known_hosts.read_text() == f"web-02,10.9.8.12 {KEY}\n"


def test_host_is_dropped_by_its_whole_name_only() -> None:
    lines = [f"web-01,10.9.8.11 {KEY}", f"web-011,10.9.8.111 {KEY}"]
    assert without_hosts(lines, ["web-01"]) == lines[1:]


def test_ssh_understands_the_configuration(client: SshClient) -> None:
    client.write_config({"web-01": Endpoint("10.9.8.11", 2222, "quartet", (client.key,))})
    done = subprocess.run(
        ["ssh", "-G", "-F", str(client.config), "web-01"],
        capture_output=True,
        text=True,
        check=True,
    )
    settings = set(done.stdout.splitlines())
    assert {"hostname 10.9.8.11", "port 2222", "user quartet", "identitiesonly yes"} <= settings
    assert "stricthostkeychecking true" in settings
    assert f"userknownhostsfile {client.known_hosts}" in settings


def test_forgetting_keeps_the_key(client: SshClient) -> None:
    client.public_key()
    client.trust({"web-01": ("10.9.8.11", KEY)})
    client.forget()
    assert [path.name for path in client.folder.iterdir()] == ["id_ed25519"]
