"""What is remembered of Vagrant's machines, and when it counts no longer."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from provision.lab.base import Endpoint
from provision.lab.vagrant_memory import (
    Memory,
    Remembered,
    fingerprint_of,
    machine_ids,
    read_memory,
    write_memory,
)

ENDPOINT = Endpoint("127.0.0.1", 2222, "vagrant", (Path("/a key"),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What Vagrant keeps of two machines, one of which it has not made."""
    for name in ("lb-01", "web-01"):
        (tmp_path / "machines" / name / "libvirt").mkdir(parents=True)
    made = tmp_path / "machines/lb-01/libvirt"
    (made / "id").write_text("3f1c\n")
    (made / "synced_folders").write_text("{}")
    return tmp_path


def boot(folder: Path) -> None:
    file = folder / "machines/lb-01/libvirt/synced_folders"
    file.write_text(file.read_text())
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))


def rebuild(folder: Path) -> None:
    """Give the machine another id at the very same time, as a coarse clock would have it."""
    file = folder / "machines/lb-01/libvirt/id"
    before = file.stat().st_mtime_ns
    file.write_text("77aa\n")
    os.utime(file, ns=(0, before))


def replace_key(folder: Path) -> None:
    (folder / "machines/lb-01/libvirt/private_key").touch()


def destroy(folder: Path) -> None:
    for file in (folder / "machines/lb-01/libvirt").iterdir():
        file.unlink()


def add(folder: Path) -> None:
    (folder / "machines/web-01/libvirt/id").write_text("88bb")


@pytest.mark.parametrize("change", [boot, rebuild, replace_key, destroy, add])
def test_what_vagrant_does_is_noticed(folder: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint_of(folder, "libvirt")
    change(folder)
    assert fingerprint_of(folder, "libvirt") != before


def test_nothing_done_is_nothing_noticed(folder: Path) -> None:
    before = fingerprint_of(folder, "libvirt")
    (folder / "machines/lb-01/virtualbox").mkdir()
    (folder / "machines/lb-01/libvirt/pids").mkdir()
    assert fingerprint_of(folder, "libvirt") == before
    assert fingerprint_of(folder, "virtualbox") != before


def test_only_made_machines_have_an_id(folder: Path) -> None:
    assert machine_ids(folder, "libvirt") == {"lb-01": "3f1c"}
    assert machine_ids(folder, "virtualbox") == {}


def test_memory_outlasts_the_process(tmp_path: Path) -> None:
    memory = Memory("f", {"lb-01": Remembered("1", "ssh-ed25519 A", ENDPOINT)})
    write_memory(tmp_path / "vagrant.json", memory)
    assert read_memory(tmp_path / "vagrant.json") == memory


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"fingerprint": "", "machines": {"lb-01": {"id": "1"}}}', "null"]
)
def test_memory_of_another_make_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "vagrant.json").write_text(text)
    assert read_memory(tmp_path / "vagrant.json") == Memory()
    assert read_memory(tmp_path / "missing.json") == Memory()


def test_a_host_key_belongs_to_one_machine_and_not_to_its_successor() -> None:
    memory = Memory("f", {"lb-01": Remembered("1", "ssh-ed25519 A", ENDPOINT)})
    assert memory.host_key("lb-01", "1") == "ssh-ed25519 A"
    assert memory.host_key("lb-01", "2") == memory.host_key("web-01", "1") == ""


def test_stale_memory_keeps_its_host_keys() -> None:
    memory = Memory("f", {"lb-01": Remembered("1", "ssh-ed25519 A", ENDPOINT)})
    assert memory.stale().fingerprint == memory.without(["web-01"]).fingerprint == ""
    assert memory.stale().host_key("lb-01", "1") == "ssh-ed25519 A"
    assert memory.without(["lb-01"]) == Memory()
