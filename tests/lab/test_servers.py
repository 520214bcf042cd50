"""Servers that exist already: how to reach them, and what is never done to them."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from ipaddress import IPv4Address
from pathlib import Path

import paramiko
import pytest

from provision.connection import endpoints
from provision.errors import QuartetError
from provision.lab import MachineState, open_lab
from provision.lab.keys import new_key_pair
from provision.lab.servers import Servers
from provision.topology import Machine, Role, Topology
from provision.topology.models import Ssh, SshDefaults
from tests.site_parts import TOPOLOGY
from tests.ssh_server import SshServer


@pytest.fixture
def key(tmp_path: Path) -> Path:
    key = tmp_path / "id"
    key.touch(mode=0o600)
    key.write_text(new_key_pair("mine").private)
    return key


@pytest.fixture
def topology(key: Path, tmp_path: Path) -> Topology:
    """web-01 as all others; lb-01 over another way; db-03 behind a jump host."""
    logins = {
        "web-01": Ssh(),
        "lb-01": Ssh(host="198.51.100.10", user="root", port=22),
        "db-03": Ssh(jump="ops@198.51.100.9:2200"),
    }
    machines = tuple(
        Machine(
            name=name,
            address=IPv4Address(f"10.9.8.{number}"),
            roles=(Role.WEB,),
            server_id=number,
            ssh=login,
        )
        for number, (name, login) in enumerate(logins.items(), start=11)
    )
    return replace(
        TOPOLOGY,
        provider="ssh",
        path=tmp_path / "production.yml",
        ssh=SshDefaults(user="deploy", port=2222, key=key),
        machines=machines,
    )


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def servers(topology: Topology, said: list[str]) -> Servers:
    return Servers(topology, say=said.append)


def _settings(config: Path, name: str) -> dict[str, str]:
    argv = ["ssh", "-G", "-F", str(config), name]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_topology_of_servers_is_opened_as_such(topology: Topology) -> None:
    assert isinstance(open_lab(topology, say=print), Servers)


def test_login_is_the_machines_own_and_else_the_shared_one(servers: Servers, key: Path) -> None:
    web, balancer = servers.endpoint("web-01"), servers.endpoint("lb-01")
    assert (web.host, web.port, web.user, web.keys) == ("10.9.8.11", 2222, "deploy", (key,))
    assert (balancer.host, balancer.port, balancer.user) == ("198.51.100.10", 22, "root")


def test_ssh_understands_the_configuration(servers: Servers, topology: Topology) -> None:
    config = servers.ssh_config()
    settings = _settings(config, "db-03")
    assert settings["hostname"] == "10.9.8.13"
    assert settings["proxyjump"] == "db-03.jump"
    assert settings["stricthostkeychecking"] == "true"
    assert settings["userknownhostsfile"] == str(topology.state_folder / "known_hosts")
    jump = _settings(config, "db-03.jump")
    assert (jump["user"], jump["hostname"], jump["port"]) == ("ops", "198.51.100.9", "2200")
    assert jump["stricthostkeychecking"] == "true"
    assert "proxyjump" not in jump


def test_what_is_written_is_what_provisioning_reads(servers: Servers) -> None:
    names = ["web-01", "lb-01", "db-03"]
    found = endpoints(servers.ssh_config(), names)
    assert found == {name: servers.endpoint(name) for name in names}


def test_nobody_is_trusted_at_first_and_nobody_forgotten_later(
    servers: Servers, topology: Topology
) -> None:
    servers.ssh_config()
    known_hosts = topology.state_folder / "known_hosts"
    assert known_hosts.read_text() == ""
    assert known_hosts.stat().st_mode & 0o777 == 0o600
    known_hosts.write_text("a line\n")
    servers.ssh_config()
    assert known_hosts.read_text() == "a line\n"


def test_each_topology_file_has_a_folder_of_its_own(topology: Topology, tmp_path: Path) -> None:
    assert topology.state_folder == tmp_path / ".quartet" / "production"


def test_every_login_that_is_wrong_is_told_at_once(topology: Topology, tmp_path: Path) -> None:
    missing = SshDefaults(key=tmp_path / "missing")
    with pytest.raises(QuartetError, match="there is no key") as caught:
        Servers(replace(topology, ssh=missing), say=print).ssh_config()
    assert re.findall(r"\w+-\d+", caught.value.where) == ["web-01", "lb-01", "db-03"]


@pytest.mark.parametrize(
    ("action", "verb"),
    [
        (Servers.halt, "shut down"),
        (Servers.power_cut, "switched off"),
        (Servers.reboot, "rebooted"),
        (Servers.destroy, "removed"),
    ],
)
def test_servers_are_not_ours_to_switch(
    action: Callable[[Servers], None], verb: str, servers: Servers
) -> None:
    with pytest.raises(QuartetError, match=f"none was {verb}"):
        action(servers)


def test_up_boots_nothing(servers: Servers, said: list[str], topology: Topology) -> None:
    servers.up()
    assert said == ["production.yml: servers that exist already, so nothing is booted"]
    assert not topology.state_folder.exists()


def test_status_tells_who_lets_us_in_and_why_the_others_do_not(
    topology: Topology, key: Path, said: list[str], tmp_path: Path
) -> None:
    private = paramiko.Ed25519Key.from_private_key(StringIO(key.read_text()))
    host_key = paramiko.Ed25519Key.from_private_key(StringIO(new_key_pair("host").private))
    server = SshServer(client_key=private, host_key=host_key, programs=tmp_path / "programs")
    try:
        here = Ssh(host="127.0.0.1", user="quartet", port=server.port)
        nobody = replace(here, user="nobody")
        machines = tuple(
            replace(machine, ssh=login)
            for machine, login in zip(topology.machines, (here, nobody), strict=False)
        )
        servers = Servers(replace(topology, machines=machines), say=said.append)
        known = f"[127.0.0.1]:{server.port} {host_key.get_name()} {host_key.get_base64()}\n"
        (servers.ssh_config().parent / "known_hosts").write_text(known)
        states = servers.status()
    finally:
        server.stop()
    assert states == {"web-01": MachineState.RUNNING, "lb-01": MachineState.UNREACHABLE}
    assert len(said) == 1
    assert said[0].startswith("lb-01: ")
    assert "Permission denied" in said[0]
