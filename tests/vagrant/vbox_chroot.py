"""Debian's VirtualBox in a root file system of its own: the host's suite may not have it.

Debian has it in unstable alone, in contrib. Only its programs come, and no kernel module.
"""

from pathlib import Path
from shutil import rmtree

from provision.lab.command import run
from provision.lab.mirror import apt_setting, host_archive
from tests.vagrant.box import AGE, KEYRING
from tests.vagrant.host import Say
from tests.vagrant.places import Scratch
from tests.vagrant.vbox_places import SYSTEM, machines

BUILD_S = 900
CALL_S = 120
FOLDER = "/usr/lib/virtualbox"  # what is in /usr/bin adds nothing but warnings of the module
PROXY = "Acquire::http::Proxy"


def ensure(say: Say) -> None:
    """Build the file system unless an earlier run did; what lies under its name is whole."""
    if SYSTEM.exists():
        return
    say("building a root file system with VirtualBox (once, about two minutes)")
    draft = SYSTEM.with_suffix(".new")
    rmtree(draft, ignore_errors=True)
    SYSTEM.parent.mkdir(parents=True, exist_ok=True)
    run(_debootstrap(draft, host_archive(say).uri))
    draft.rename(SYSTEM)


def _debootstrap(root: Path, mirror: str) -> list[str]:
    options = [f'{AGE} "false"'] if apt_setting(AGE) == "false" else []
    options += [f'{PROXY} "{proxy}"'] if (proxy := apt_setting(PROXY)) else []
    return [
        *_bounded(BUILD_S),
        *("unshare", "--mount", "--propagation=private", "mmdebstrap", "--mode=root"),
        *("--variant=minbase", "--format=directory", "--include=virtualbox"),
        *(f"--aptopt={option}" for option in options),
        "--dpkgopt=force-unsafe-io",
        *("sid", str(root), f"deb [signed-by={KEYRING}] {mirror} sid main contrib"),
    ]


def furnish(scratch: Scratch) -> None:
    """Mount what programs in it need; to be called in mounts of one's own.

    The scratch folder has the same path on both sides, so that Vagrant and VirtualBox mean the
    same files. What is kept for the next run can't be written to.
    """
    run(["mount", "--bind", str(SYSTEM), str(SYSTEM)])
    run(["mount", "-o", "remount,bind,ro", str(SYSTEM)])
    for name in ("run", "tmp", "var/tmp"):
        run(["mount", "-t", "tmpfs", "tmpfs", str(SYSTEM / name)])
    run(["mount", "-t", "proc", "proc", str(SYSTEM / "proc")])
    run(["mount", "--rbind", "/dev", str(SYSTEM / "dev")])
    shared = SYSTEM / scratch.folder.relative_to("/")
    shared.mkdir(parents=True)
    run(["mount", "--bind", str(scratch.folder), str(shared)])
    run(real("setproperty", "machinefolder", str(machines(scratch))))  # else in root's home


def real(*words: str) -> list[str]:
    """The command that runs the real VBoxManage; it ends after a while, whatever it waits for."""
    return [*_bounded(CALL_S), "chroot", str(SYSTEM), f"{FOLDER}/VBoxManage", *words]


def headless(machine: str) -> list[str]:
    """The command that `startvm` runs without telling what it says."""
    program = f"{FOLDER}/VBoxHeadless"
    return [*_bounded(CALL_S), "chroot", str(SYSTEM), program, "--startvm", machine]


def _bounded(seconds: int) -> list[str]:
    return ["timeout", "--kill-after=10", str(seconds)]
