"""A fresh clone of this repository, which is what its users have."""

import shutil

from provision.lab.command import run
from tests.vagrant.places import BOX, ROOT, Scratch

PATIENCE = 6
"""Emulated processors are 8 to 24 times slower, and have work of their own beside the checks."""
SETTINGS = ROOT / "tests/vagrant/home/Vagrantfile"


def clone(scratch: Scratch, *, uncommitted: bool) -> None:
    """Clone what is committed, with the working tree's changes on top if wished."""
    run(["git", "clone", "--quiet", str(ROOT), str(scratch.clone)])
    scratch.vagrant_home.mkdir()
    if uncommitted:
        _copy_working_tree(scratch)
    shutil.copy(SETTINGS, scratch.vagrant_home)


def adapt_topology(scratch: Scratch, version: str) -> None:
    """Have topology.yml ask for the box that was built here, and for the patience that it needs."""
    file = scratch.clone / "topology.yml"
    wish = f"vagrant: {{box: {BOX}, box_version: {version}}}\n"
    text = file.read_text().replace("\npatience: 1\n", f"\npatience: {PATIENCE}\n")
    file.write_text(text + wish)


def set_up(scratch: Scratch) -> None:
    """Let `./lab` make its environment while there is a network."""
    run(["env", f"--chdir={scratch.clone}", "./lab", "--list"])


def _copy_working_tree(scratch: Scratch) -> None:
    git = ["git", "-C", str(ROOT), "ls-files", "-z"]
    for name in filter(None, run([*git, "--deleted"]).split("\0")):
        (scratch.clone / name).unlink(missing_ok=True)
    present = run([*git, "--modified", "--others", "--exclude-standard", "--deduplicate"])
    for name in filter(None, present.split("\0")):
        _copy(name, scratch)


def _copy(name: str, scratch: Scratch) -> None:
    if (ROOT / name).is_file():
        target = scratch.clone / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
