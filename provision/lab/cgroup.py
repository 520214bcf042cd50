"""Control groups hold the processes of one machine together: none is ever looked for by name.

Only the unified hierarchy (cgroup v2) is used. Limits on memory and CPU time are applied where its
controllers are available; a host that mounts them as cgroup v1 gives its machines all it has.
"""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provision.errors import QuartetError
from provision.polling import is_reached

MOUNTINFO = Path("/proc/self/mountinfo")
DIE_S = 10.0


@dataclass(frozen=True)
class Cgroup:
    """A control group with all of its descendants."""

    path: Path

    def is_populated(self) -> bool:
        """Tell whether a process lives in it."""
        try:
            return "populated 1" in (self.path / "cgroup.events").read_text()
        except OSError:
            return False

    def pids(self) -> list[int]:
        """List the processes in it and in its descendants, some of which may vanish meanwhile."""
        folders = [Path(folder) for folder, _, _ in os.walk(self.path)]
        return [pid for folder in folders for pid in _numbers(folder / "cgroup.procs")]

    def kill(self) -> None:
        """SIGKILL everything in it and wait until it's gone."""
        if not is_reached(self._is_dead, within_s=DIE_S):
            raise QuartetError(
                str(self.path), "a process survives SIGKILL", "see cgroup.procs there"
            )

    def remove(self) -> None:
        """Remove it and its descendants; there must be no process left in them."""
        if self.path.is_dir():
            for folder, _, _ in os.walk(self.path, topdown=False):
                Path(folder).rmdir()

    def _is_dead(self) -> bool:
        if self.is_populated():
            self._kill_once()
        return not self.is_populated()

    def _kill_once(self) -> None:
        try:
            (self.path / "cgroup.kill").write_text("1")
        except FileNotFoundError:  # before Linux 5.14
            for pid in self.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def unified_root() -> Path:
    """Find where cgroup v2 is mounted: /sys/fs/cgroup, or `unified` in it on a hybrid host."""
    for line in MOUNTINFO.read_text().splitlines():
        if " - cgroup2 " in line:
            return Path(line.split()[4])
    raise QuartetError(
        "this host",
        "cgroup v2 isn't mounted, and machines are held together by it",
        "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
    )


def _numbers(path: Path) -> list[int]:
    try:
        return [int(line) for line in path.read_text().split()]
    except OSError:
        return []
