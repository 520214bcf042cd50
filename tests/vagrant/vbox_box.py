"""A box for VirtualBox with nothing on its disk, exported by the real VBoxManage.

Its memory and cores are nobody's wish: what a machine has of them later, the Vagrantfile gave it.
"""

import json
from pathlib import Path

from provision.lab.command import run
from tests.vagrant.places import BOX, Scratch
from tests.vagrant.vbox_chroot import real
from tests.vagrant.vbox_places import BOX_VERSION, bench

NAME = "empty"
MEMORY_MB, CPUS, DISK_MB = 72, 3, 8
AT = ("--storagectl=SATA", "--port=0", "--device=0", "--type=hdd")


def build(scratch: Scratch) -> None:
    """Make the box, and a catalog of it, without which Vagrant gives a box no version."""
    folder = bench(scratch)
    folder.mkdir()
    _export(folder)
    (folder / "metadata.json").write_text(json.dumps({"provider": "virtualbox"}))
    (folder / "Vagrantfile").write_text('Vagrant.configure("2") { |_| }\n')
    file = scratch.folder / "virtualbox.box"
    parts = [
        "box.ovf",
        "metadata.json",
        "Vagrantfile",
        *(one.name for one in folder.glob("*.vmdk")),
    ]
    run(["tar", "--create", f"--file={file}", f"--directory={folder}", *parts])
    scratch.catalog.write_text(_catalog(file))


def _export(folder: Path) -> None:
    disk = folder / "disk.vdi"
    for words in (
        ("createvm", "--name", NAME, "--ostype=Debian_64", "--register", f"--basefolder={folder}"),
        ("modifyvm", NAME, f"--memory={MEMORY_MB}", f"--cpus={CPUS}", "--nic1=nat"),
        ("storagectl", NAME, "--name=SATA", "--add=sata", "--portcount=1"),
        ("createmedium", "disk", f"--filename={disk}", f"--size={DISK_MB}"),
        ("storageattach", NAME, *AT, f"--medium={disk}"),
        ("export", NAME, f"--output={folder / 'box.ovf'}"),
        ("unregistervm", NAME, "--delete"),
    ):
        run(real(*words))


def _catalog(file: Path) -> str:
    provider = {"name": "virtualbox", "url": file.as_uri()}
    versions = [{"version": BOX_VERSION, "providers": [provider]}]
    return json.dumps({"name": BOX, "versions": versions})
