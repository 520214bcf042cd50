"""Vagrant's machines: the program is a stand-in, the SSH servers and all files are real."""

import io
import json
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
import pytest

from provision.errors import QuartetError
from provision.lab import vagrant
from provision.lab.base import MachineState
from provision.lab.keys import new_key_pair
from provision.lab.vagrant import VagrantLab
from provision.topology import load
from tests.local_host import write_program
from tests.ssh_server import SshServer

REPOSITORY = Path(__file__).parents[2]
FAKE_VAGRANT = Path(__file__).with_name("fake_vagrant.py")
NAMES = ("lb-01", "web-01", "web-02", "db-03")
ALL = "/^(lb-01|web-01|web-02|db-03)$/"
WITHOUT_WEB_02 = "/^(lb-01|web-01|db-03)$/"
RUNNING, STOPPED, ABSENT = MachineState.RUNNING, MachineState.STOPPED, MachineState.ABSENT

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not on this host")


def new_key() -> tuple[str, paramiko.Ed25519Key]:
    text = new_key_pair("a test").private
    return text, paramiko.Ed25519Key.from_private_key(io.StringIO(text))


@dataclass
class World:
    """A topology, the stand-in for Vagrant, and one SSH server for each machine."""

    folder: Path
    client_key: paramiko.Ed25519Key
    provider: str = "libvirt"
    servers: dict[str, SshServer] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def lab(self) -> VagrantLab:
        """A lab of a process that remembers nothing but files."""
        return VagrantLab(load(self.folder / "topology.yml"), self.provider, say=self.said.append)

    @property
    def known_hosts(self) -> str:
        return (self.folder / ".quartet/known_hosts").read_text()

    def serve(self, name: str) -> SshServer:
        """Have a machine answer on a new port, with a new host key."""
        programs = self.folder / f"programs-{name}"
        server = SshServer(client_key=self.client_key, host_key=new_key()[1], programs=programs)
        write_program(programs, "systemctl", "echo running")
        self.servers[name] = server
        self.tell_ports()
        return server

    def unplug(self, name: str) -> None:
        """Have nothing listen where a machine was; who waits for a caller there gets the last."""
        port = self.servers[name].port
        self.servers[name].stop()
        socket.create_connection(("127.0.0.1", port)).close()

    def move(self, name: str) -> None:
        """Have the same machine answer on another port."""
        old = self.servers[name]
        self.servers[name] = SshServer(old.client_key, old.host_key, old.programs)
        self.tell_ports()

    def tell_ports(self) -> None:
        ports = {name: server.port for name, server in self.servers.items()}
        settings = {"ports": ports, "key": str(self.folder / "my key")}
        (self.folder / "settings.json").write_text(json.dumps(settings))

    def calls(self) -> list[str]:
        """What Vagrant was asked since the last time."""
        file = self.folder / "calls"
        asked = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return asked

    def id_file(self, name: str) -> Path:
        return self.folder / ".vagrant/machines" / name / self.provider / "id"

    def change(self, old: str, new: str) -> None:
        path = self.folder / "topology.yml"
        path.write_text(path.read_text().replace(old, new))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    text = (REPOSITORY / "topology.yml").read_text()
    text = text.replace("name: quartet", "name: vfake").replace(
        "files/app", str(REPOSITORY / "files/app")
    )
    (tmp_path / "topology.yml").write_text(text)
    write_program(tmp_path / "bin", "vagrant", f'exec "{sys.executable}" "{FAKE_VAGRANT}" "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_VAGRANT", str(tmp_path))
    key_text, key = new_key()
    (tmp_path / "my key").touch(mode=0o600)
    (tmp_path / "my key").write_text(key_text)
    world = World(tmp_path, key)
    for name in NAMES:
        world.serve(name)
    yield world
    for server in world.servers.values():
        server.stop()


@pytest.fixture
def booted(world: World) -> World:
    world.lab.up()
    world.calls()
    return world


def test_up_boots_and_pins_the_host_key_of_each(world: World) -> None:
    world.lab.up()
    assert world.calls() == [f"up {ALL} --provider=libvirt", f"ssh-config {ALL}"]
    for name, server in world.servers.items():
        pinned = f"{name},[127.0.0.1]:{server.port} ssh-ed25519 {server.host_key.get_base64()}"
        assert pinned in world.known_hosts
        assert "systemctl is-system-running --wait" in server.commands


def test_login_that_breaks_off_while_a_machine_boots_is_tried_again(world: World) -> None:
    once = f'[ -e "{world.folder}/tried" ] || {{ touch "{world.folder}/tried"; exit 255; }}'
    write_program(world.servers["web-01"].programs, "systemctl", f"{once}\necho running")
    world.lab.up()
    assert world.servers["web-01"].commands.count("systemctl is-system-running --wait") == 2


def test_machine_that_never_finishes_booting_is_said_with_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vagrant, "READY_S", 0.5)
    broken = "echo 'Connection to 192.0.2.1 closed' >&2; exit 255"
    write_program(world.servers["web-01"].programs, "systemctl", broken)
    with pytest.raises(QuartetError) as caught:
        world.lab.up()
    said = "web-01: did not finish booting within 0 s: Connection to 192.0.2.1 closed"
    assert said in str(caught.value)


def test_vagrant_runs_beside_the_vagrantfile_with_its_files_beside_the_topology(
    world: World,
) -> None:
    world.lab.status()
    environment = json.loads((world.folder / "environment").read_text())
    assert environment["PWD"] == str(REPOSITORY)
    assert environment["QUARTET_TOPOLOGY"] == str(world.folder / "topology.yml")
    assert environment["VAGRANT_DOTFILE_PATH"] == str(world.folder / ".vagrant")


def test_nothing_to_do_asks_vagrant_nothing(booted: World) -> None:
    booted.lab.up()
    assert booted.lab.ssh_config() == booted.folder / ".quartet/ssh_config"
    assert booted.lab.endpoint("db-03").port == booted.servers["db-03"].port
    assert booted.calls() == []


def test_a_boot_by_vagrant_itself_is_noticed(booted: World) -> None:
    old = booted.servers["web-01"]
    booted.move("web-01")
    file = booted.id_file("web-01").with_name("synced_folders")
    file.unlink()
    file.write_text("{}")
    assert booted.lab.endpoint("web-01").port == booted.servers["web-01"].port
    assert booted.calls() == [f"ssh-config {ALL}"]
    assert old.host_key.get_base64() in booted.known_hosts
    old.stop()


def test_a_move_that_vagrant_knows_nothing_of_is_noticed_by_who_answers(booted: World) -> None:
    booted.unplug("web-01")
    booted.move("web-01")
    assert booted.lab.endpoint("web-01").port == booted.servers["web-01"].port


def test_a_rebuilt_machine_has_its_new_key_pinned(booted: World) -> None:
    old = booted.servers["db-03"].host_key.get_base64()
    booted.unplug("db-03")
    new = booted.serve("db-03").host_key.get_base64()
    booted.id_file("db-03").write_text("another machine")
    booted.lab.ssh_config()
    assert new in booted.known_hosts
    assert old not in booted.known_hosts


def test_the_same_machine_with_another_key_is_not_believed(booted: World) -> None:
    old = booted.servers["db-03"].host_key.get_base64()
    booted.unplug("db-03")
    new = booted.serve("db-03").host_key.get_base64()
    booted.lab.ssh_config()
    assert old in booted.known_hosts
    assert new not in booted.known_hosts


def test_a_halted_machine_has_no_endpoint_and_keeps_its_key(booted: World) -> None:
    booted.lab.halt(["web-02"])
    assert booted.lab.status() == {
        "lb-01": RUNNING,
        "web-01": RUNNING,
        "web-02": STOPPED,
        "db-03": RUNNING,
    }
    assert booted.calls() == [
        "halt web-02",
        "status --machine-readable",
        f"ssh-config {WITHOUT_WEB_02}",
    ]
    with pytest.raises(QuartetError, match="web-02: is not running"):
        booted.lab.endpoint("web-02")
    assert booted.calls() == []
    logins = len(booted.servers["web-02"].commands)
    booted.lab.up()
    assert booted.calls() == ["up web-02 --provider=libvirt", f"ssh-config {ALL}"]
    assert booted.servers["web-02"].commands[logins:] == ["systemctl is-system-running --wait"]


def test_where_one_is_away_the_others_are_asked_for(booted: World) -> None:
    (booted.folder / "web-02.running").unlink()
    booted.unplug("web-02")
    assert booted.lab.endpoint("db-03").port == booted.servers["db-03"].port
    asked = [f"ssh-config {ALL}", "status --machine-readable", f"ssh-config {WITHOUT_WEB_02}"]
    assert booted.calls() == asked


def test_all_halted_is_known_without_asking_again(booted: World) -> None:
    booted.lab.halt()
    assert set(booted.lab.status().values()) == {STOPPED}
    booted.calls()
    booted.lab.ssh_config()
    assert booted.calls() == []


def test_a_power_cut_is_forced(booted: World) -> None:
    booted.lab.power_cut(["web-01"])
    assert booted.calls() == ["halt web-01 --force"]


def test_reboot_leaves_stopped_machines_alone(booted: World) -> None:
    booted.lab.halt(["web-02"])
    booted.calls()
    booted.lab.reboot(["web-01", "web-02"])
    assert booted.calls()[:2] == ["status --machine-readable", "reload web-01 --no-provision"]


def test_destroy_leaves_nothing_that_points_at_machines(booted: World) -> None:
    booted.lab.destroy()
    assert booted.calls() == [f"destroy {ALL} --force"]
    left = {file.name for file in (booted.folder / ".quartet").iterdir()}
    assert left <= {"topology.json", "vagrant.lock"}


def test_a_destroyed_machine_is_no_longer_known(booted: World) -> None:
    booted.lab.destroy(["db-03"])
    assert "db-03" not in booted.known_hosts
    assert "db-03" not in (booted.folder / ".quartet/ssh_config").read_text()
    assert booted.lab.status()["db-03"] is ABSENT


def test_machines_destroyed_by_vagrant_itself_are_forgotten(booted: World) -> None:
    for name in NAMES:
        shutil.rmtree(booted.id_file(name).parent)
    assert not booted.lab.ssh_config().exists()
    assert booted.calls() == []


def test_a_machine_that_left_the_topology_is_named_and_destroyed(booted: World) -> None:
    booted.change("  db-03:", "  db-04:")
    booted.serve("db-04")
    booted.lab.up()
    assert any(line.startswith("db-03: no longer in topology.yml") for line in booted.said)
    booted.calls()
    booted.lab.destroy()
    assert booted.calls()[-1] == "destroy db-03 --force"
    assert not booted.id_file("db-03").exists()


def test_a_failure_tells_what_vagrant_said_last(world: World) -> None:
    (world.folder / "broken").write_text("Stderr: VBoxManage: error: VT-x is disabled")
    with pytest.raises(QuartetError) as caught:
        world.lab.up(["lb-01"])
    assert str(caught.value) == (
        "vagrant: `vagrant up lb-01 --provider=libvirt` ended with 1:"
        " Stderr: VBoxManage: error: VT-x is disabled\n"
        "  next: mend that and run the same again; ./lab doctor looks at what libvirt needs"
    )


def test_what_failed_halfway_is_asked_for_anew(booted: World) -> None:
    (booted.folder / "broken").write_text("no space left")
    with pytest.raises(QuartetError, match="no space left"):
        booted.lab.halt()
    (booted.folder / "broken").unlink()
    booted.calls()
    booted.lab.ssh_config()
    assert booted.calls() == [f"ssh-config {ALL}"]


def test_without_vagrant_the_command_that_installs_it_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(world.folder))
    with pytest.raises(QuartetError, match="apt-get install vagrant vagrant-libvirt"):
        world.lab.status()


def test_a_second_provider_is_refused_before_anything_is_made(booted: World) -> None:
    booted.provider = "virtualbox"
    with pytest.raises(QuartetError, match="has machines of libvirt already"):
        booted.lab.up()
    assert booted.calls() == []


def test_what_another_provider_wrote_stays(world: World) -> None:
    (world.folder / ".quartet").mkdir()
    (world.folder / ".quartet/known_hosts").write_text("lb-01 ssh-ed25519 A\n")
    world.lab.status()
    world.lab.ssh_config()
    assert world.known_hosts == "lb-01 ssh-ed25519 A\n"
