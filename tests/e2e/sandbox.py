"""A lab of the tests' own: a copy of topology.yml under another name and in another network."""

import os
import random
import re
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from provision import roles
from provision.lab import Lab, open_lab
from provision.topology import Topology, load

ROOT = Path(__file__).parent.parent.parent
INV = Path(sys.executable).parent / "inv"
NETWORK = "192.168.77"
TASK_TIMEOUT_S = 900
NOTHING_PREINSTALLED = ("provider: nspawn ", "nspawn: {preinstall: false}\nprovider: nspawn ")
"""A change of topology.yml: machines from the bare image."""


@dataclass(frozen=True)
class Run:
    """A task that has ended."""

    code: int
    output: str
    seconds: float


class Sandbox:
    """The lab, its topology.yml, and the tasks as a person calls them."""

    def __init__(self, folder: Path, name: str = "e2e") -> None:
        self.topology_file = folder / "topology.yml"
        text = (ROOT / "topology.yml").read_text()
        self._original = (
            text.replace("name: quartet  ", f"name: {name}  ")
            .replace("192.168.56.", f"{NETWORK}.")
            .replace("path: files/app ", f"path: {ROOT}/files/app ")
        )
        self.restore()

    @property
    def folder(self) -> Path:
        """Where the lab keeps its client files."""
        return self.topology_file.parent / ".quartet"

    @property
    def topology(self) -> Topology:
        """The lab's description as it is now."""
        return load(self.topology_file)

    def rewrite(self, *changes: tuple[str, str]) -> None:
        """Replace texts in topology.yml; each must be there."""
        text = self.topology_file.read_text()
        for old, new in changes:
            assert old in text, f"{old!r} is not in topology.yml"
            text = text.replace(old, new)
        self.topology_file.write_text(text)

    def restore(self) -> None:
        """Bring back the original topology.yml."""
        self.topology_file.write_text(self._original)

    def inv(self, *words: str) -> Run:
        """Run a task to its end; what it had to do twice is a warning, for the run's summary."""
        began = time.monotonic()
        done = subprocess.run(
            [INV, *words],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TASK_TIMEOUT_S,
            check=False,
        )
        for line in re.findall("^again .*", done.stdout, re.MULTILINE):
            warnings.warn(f"inv {' '.join(words)}: {line}", stacklevel=2)
        return Run(done.returncode, done.stdout, time.monotonic() - began)

    def inv_killed(self, *words: str, after_s: float) -> bool:
        """Run a task and kill -9 it after some seconds; whether it was still running then."""
        process = subprocess.Popen(
            [INV, *words],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        return False

    def environment(self) -> dict[str, str]:
        """The environment of tasks: this lab's topology in place of the checkout's."""
        return {**os.environ, "QUARTET_TOPOLOGY": str(self.topology_file)}

    def ssh(self, machine: str, command: str) -> str:
        """Run a command on a machine and return its output; it must succeed."""
        done = self.try_ssh(machine, command)
        assert done.returncode == 0, f"{machine}: {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def try_ssh(self, machine: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine, whatever becomes of it."""
        argv = ["ssh", "-F", str(self.folder / "ssh_config"), machine, command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)

    def lab(self) -> Lab:
        """The machines' provider, for what no task does alone."""
        packages = roles.packages(self.topology)
        return open_lab(self.topology, say=lambda line: None, packages=packages)

    def url(self, path: str = "/") -> str:
        """An address at the front door."""
        return f"http://{NETWORK}.10{path}"

    def post(self, text: str) -> requests.Response:
        """Write a message through the front door."""
        message = {"author": "e2e", "text": text}
        return requests.post(self.url("/api/messages"), json=message, timeout=20)

    def served_by(self, requests_count: int) -> Counter[str]:
        """Which web machines answer so many requests of one client."""
        with requests.Session() as session:
            return Counter(
                session.get(self.url("/healthz"), timeout=20).headers["X-Served-By"]
                for _ in range(requests_count)
            )


def eventually(condition: Callable[[], bool], deadline_s: float = 30) -> bool:
    """Whether a condition comes true within the deadline."""
    ends_at = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.2)
    return True


def random_moments(count: int, longest_s: float, seed: int) -> list[float]:
    """Moments to kill a run at, one in each equal part of its length, the same for a seed."""
    dice = random.Random(seed)  # noqa: S311 nothing is guarded by it
    part = longest_s / count
    return [part * number + dice.uniform(0, part) for number in range(count)]
