"""Ask the real VBoxManage what it makes of the project's Vagrantfile, as far as no machine starts.

A command of its own, of a few minutes (and two more the first time):

    python -m tests.vagrant.virtualbox [--uncommitted]

VirtualBox needs a kernel module to start a machine, and none to import, clone and set one up. So
Debian's own VirtualBox, in a root file system that is kept for the next time, does what Vagrant
asks of it up to `startvm`; tests/vagrant/vbox_manage.py is the little that stands in for the
module. It needs a Debian host and root. What it installs it says first. VirtualBox runs in mounts,
a network and processes of its own, which end with this command, whatever becomes of it.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.host import check_room, check_root, install
from tests.vagrant import checkout, vbox_chroot
from tests.vagrant.places import CACHE, ROOT, Scratch
from tests.vagrant.vbox_places import BOX_VERSION, LOGS
from tests.vagrant.world import inside

NEEDED = ("vagrant", "mmdebstrap", "git")
NEEDED_GB = 2.0
MODULE = Path("/dev/vboxdrv")
WITHIN_S = 1200


def main() -> int:
    """Prepare on the host, and go on in a world of its own."""
    wish = _wish()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    _prepare()
    with _scratch() as scratch:
        vbox_chroot.ensure(_say)
        _furnish(scratch, wish.uncommitted)
        return _go_inside(scratch)


def _wish() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uncommitted", action="store_true", help="with what isn't committed yet")
    return parser.parse_args()


def _prepare() -> None:
    check_root()
    if MODULE.exists():
        raise QuartetError("this host", f"has {MODULE}", "vagrant up --provider=virtualbox")
    check_room(CACHE, NEEDED_GB)
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        _say(f"installing on this host: {', '.join(missing)}")
        install(missing)


def _furnish(scratch: Scratch, uncommitted: bool) -> None:
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    scratch.home.mkdir()
    _say("cloning this repository")
    checkout.clone(scratch, uncommitted=uncommitted)
    checkout.adapt_topology(scratch, BOX_VERSION)


def _go_inside(scratch: Scratch) -> int:
    """Run the rest where the kernel ends all of it with its first process.

    VirtualBox locks machines with semaphores of System V, which a killed program leaves behind
    unless they have a namespace too.
    """
    argv = ["unshare", "--ipc", *inside("tests.vagrant.vbox_inside", str(scratch.folder))]
    try:
        return subprocess.run(argv, cwd=ROOT, check=False, timeout=WITHIN_S).returncode
    except subprocess.TimeoutExpired:
        _say(f"not done after {WITHIN_S} s")
        return 1


@contextmanager
def _scratch() -> Iterator[Scratch]:
    with tempfile.TemporaryDirectory(prefix="quartet-virtualbox-", dir="/var/tmp") as folder:
        yield Scratch(Path(folder))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
