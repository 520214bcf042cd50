"""`inv bench`: provisioning against its floors, in a lab of the benchmark's own."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from provision import roles
from provision.lab import Lab, open_lab
from provision.report import make_table
from provision.topology import Topology, load
from tests.e2e import sandbox
from tests.e2e.shapes import ten_machines

ROOT = Path(__file__).parent.parent
INV = Path(sys.executable).parent / "inv"
ROUNDS_WITH_NOTHING_TO_DO = 9
ROUNDS_ON_FRESH_MACHINES = 2
NETWORK = f"{sandbox.NETWORK}."

Pair = tuple[list[float], list[float]]
"""Seconds of the floor, and of what is measured."""


def main() -> None:
    """Measure all pairs in one run, print the ratios, and leave nothing behind."""
    # Bytecode is kept as it is for a person who types the command.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with _lab(lambda file: None, preinstall=False) as (lab, topology):
        fresh, four = _fresh(lab, topology), _nothing_to_do(topology)
    with _lab(ten_machines, preinstall=True) as (lab, topology):
        lab.up()
        ten = _nothing_to_do(topology)
    _print(fresh, four, ten)


@contextmanager
def _lab(shape: Callable[[Path], None], *, preinstall: bool) -> Iterator[tuple[Lab, Topology]]:
    """A lab of this shape, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        file = _topology_file(Path(folder), preinstall=preinstall)
        shape(file)
        topology = load(file)
        os.environ["QUARTET_TOPOLOGY"] = str(file)
        lab = open_lab(topology, say=_say, packages=roles.packages(topology))
        try:
            yield lab, topology
        finally:
            lab.destroy()


def _topology_file(folder: Path, *, preinstall: bool) -> Path:
    """A copy of topology.yml: another name and another network."""
    text = (ROOT / "topology.yml").read_text()
    text = text.replace("name: quartet  ", "name: bench  ").replace("192.168.56.", NETWORK)
    text = text.replace("path: files/app ", f"path: {ROOT}/files/app ")
    file = folder / "topology.yml"
    file.write_text(f"nspawn: {{preinstall: {str(preinstall).lower()}}}\n{text}")
    return file


def _fresh(lab: Lab, topology: Topology) -> Pair:
    """Seconds of `apt-get install` alone, and of provisioning, on fresh machines each time."""
    _say("warming the package cache")
    _renew(lab)
    _install_packages(topology)
    floors, runs = [], []
    for number in range(ROUNDS_ON_FRESH_MACHINES):
        _say(f"fresh machines, round {number + 1} of {ROUNDS_ON_FRESH_MACHINES}")
        _renew(lab)
        floors.append(_seconds(lambda: _install_packages(topology)))
        _renew(lab)
        runs.append(_seconds(_provision))
    return floors, runs


def _nothing_to_do(topology: Topology) -> Pair:
    """Seconds of connecting and running `true`, and of provisioning with nothing to change."""
    _say("nothing to do")
    _provision()
    floors, runs = [], []
    for _ in range(ROUNDS_WITH_NOTHING_TO_DO):
        floors.append(_seconds(lambda: _connect(topology)))
        runs.append(_seconds(_provision))
    return floors, runs


def _renew(lab: Lab) -> None:
    lab.destroy()
    lab.up()


def _install_packages(topology: Topology) -> None:
    with ThreadPoolExecutor(len(topology.machines)) as pool:
        list(pool.map(lambda name: _install(topology, name), [m.name for m in topology.machines]))


def _install(topology: Topology, machine: str) -> None:
    packages = roles.packages_of(topology.machine(machine), topology)
    config = topology.path.parent / ".quartet" / "ssh_config"
    environment = ["sudo", "env", "DEBIAN_FRONTEND=noninteractive"]
    install = ["apt-get", "install", "-qq", "--no-install-recommends", *packages]
    _run(["ssh", "-F", str(config), machine, *environment, *install])


def _connect(topology: Topology) -> None:
    client = topology.path.parent / ".quartet"
    addresses = [str(machine.address) for machine in topology.machines]
    key = client / "id_ed25519"
    _run([sys.executable, str(ROOT / "bench" / "floor.py"), str(key), "quartet", *addresses])


def _provision() -> None:
    _run([str(INV), "provision"])


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{argv[0]} failed:\n{done.stdout}\n{done.stderr}")


def _seconds(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _print(fresh: Pair, four: Pair, ten: Pair) -> None:
    table = make_table("what", "floor, s", "inv provision, s", "ratio", "bar")
    for name, (floors, runs), bar in (
        ("nothing to do (floor: import fabric, connect, `true`)", four, "2.0"),
        ("nothing to do on ten machines (floor: the same)", ten, "2.0"),
        ("four fresh machines (floor: parallel apt-get install)", fresh, "1.5"),
    ):
        floor, run = statistics.median(floors), statistics.median(runs)
        table.add_row(name, f"{floor:.2f}", f"{run:.2f}", f"{run / floor:.2f}", bar)
    console = Console(width=120)
    console.print("medians of one run, side by side, each pair on the same machines")
    console.print(table)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
