"""One SSH connection to each machine, opened at once and shared by all of its commands."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

CONNECT_TIMEOUT_S = 5
GIVE_UP_S = 20
# A master that was left behind ends by itself.
PERSIST_S = 120


@dataclass
class Masters:
    """OpenSSH control masters, whose sockets are in a folder of their own.

    The folder is not in the lab's: a socket's path may have about 100 characters and no more.
    """

    config: Path
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="quartet-")))
    unreachable: dict[str, str] = field(default_factory=dict)

    def open(self, names: Iterable[str]) -> None:
        """Connect to all at once; `unreachable` says which did not answer, and why."""
        names = list(names)
        with ThreadPoolExecutor(len(names)) as pool:
            answers = pool.map(self._open, names)
        self.unreachable = {
            name: why for name, why in zip(names, answers, strict=True) if why is not None
        }

    def socket(self, name: str) -> Path:
        """Return where this machine's connection is shared."""
        return self.folder / name

    def close(self) -> None:
        """End all connections and leave nothing behind."""
        for socket in self.folder.glob("*"):
            if socket.is_socket():
                self._ssh("-O", "exit", socket.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self, name: str) -> str | None:
        # Into a file, since the master keeps its stderr open and a pipe would never end.
        complaints = self.folder / f"{name}.log"
        options = [
            "-fNM",
            "-o",
            f"ControlPersist={PERSIST_S}",
            "-o",
            f"ConnectTimeout={CONNECT_TIMEOUT_S}",
            "-o",
            "BatchMode=yes",
            # A machine that dies in the middle is noticed within 15 s.
            "-o",
            "ServerAliveInterval=5",
        ]
        with complaints.open("w") as stderr:
            try:
                status = self._ssh(*options, name, stderr=stderr.fileno())
            except subprocess.TimeoutExpired:
                return f"no SSH connection within {GIVE_UP_S} s"
        lines = complaints.read_text().strip().splitlines()
        if status == 0:
            return None
        return lines[-1] if lines else f"ssh ended with status {status}"

    def _ssh(self, *arguments: str, stderr: int = subprocess.DEVNULL) -> int:
        name = arguments[-1]
        return subprocess.run(
            ["ssh", "-F", self.config, "-o", f"ControlPath={self.socket(name)}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            timeout=GIVE_UP_S,
            check=False,
        ).returncode
