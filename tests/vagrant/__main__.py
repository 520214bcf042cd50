"""Boot the project's Vagrantfile with real virtual machines, and run the ordinary tasks on them.

A command of its own, since it takes about an hour on two cores:

    python -m tests.vagrant [--way task|vagrant] [--uncommitted] [--preinstalled]

It needs a Debian host, root, and no hardware virtualisation: processors are emulated. What it
installs it says first. A fresh clone of this repository is what runs; of its topology.yml only the
box is changed, to one that is built here and kept for the next time, and `patience`, since emulated
processors are slow. libvirt runs in mounts, a network and processes of its own, which end with this
command, whatever becomes of it.
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

from provision import roles
from provision.lab.host import check_root
from provision.topology import load
from tests.e2e.traces import Traces
from tests.vagrant import box, checkout, host
from tests.vagrant.packages import package_cache
from tests.vagrant.places import LOGS, ROOT, Scratch
from tests.vagrant.recipe import Recipe, choose_recipe
from tests.vagrant.world import inside, mount_points

WAYS = ("task", "vagrant")


def main() -> int:
    """Prepare on the host, go on in a world of its own, and compare the host with before."""
    wish = _wish()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    check_root()
    host.prepare(_say)
    before = Traces.read()
    with _scratch() as scratch, package_cache(scratch), mount_points():
        recipe = choose_recipe(_preinstalled(wish.preinstalled), _say)
        _furnish(scratch, recipe, wish.uncommitted)
        code = subprocess.run(
            inside("tests.vagrant.inside", str(scratch.folder), *(wish.way or WAYS)),
            cwd=ROOT,
            check=False,
        ).returncode
    return _compare(before) or code


def _wish() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--way", action="append", choices=WAYS, help="only this one; by default all"
    )
    parser.add_argument("--uncommitted", action="store_true", help="with what isn't committed yet")
    parser.add_argument("--preinstalled", action="store_true", help="a box with all packages in it")
    return parser.parse_args()


def _furnish(scratch: Scratch, recipe: Recipe, uncommitted: bool) -> None:
    """Put everything into the scratch folder that the machines' world needs from outside."""
    file = box.ensure(recipe, scratch, _say)
    scratch.catalog.write_text(box.catalog(recipe, file))
    scratch.home.mkdir()
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    _say("cloning this repository, and setting up the clone's own environment")
    checkout.clone(scratch, uncommitted=uncommitted)
    checkout.adapt_topology(scratch, recipe.version)
    checkout.set_up(scratch)


def _preinstalled(wished: bool) -> tuple[str, ...]:
    return roles.packages(load(ROOT / "topology.yml")) if wished else ()


@contextmanager
def _scratch() -> Iterator[Scratch]:
    """A folder on a real disk, where machines have room; readable for the package cache."""
    with tempfile.TemporaryDirectory(prefix="quartet-vagrant-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Scratch(Path(folder))


def _compare(before: Traces) -> int:
    left = Traces.read().since(before)
    for kind, change in left.items():
        _say(f"left behind: {kind}: {change}")
    return 1 if left else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
