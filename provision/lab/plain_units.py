"""Units on a host where systemd isn't process 1: a small supervisor in a session of its own."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.cgroup import Cgroup
from provision.lab.units import Limits
from provision.polling import is_reached

SUPERVISOR = Path(__file__).parents[2] / "files/lab/supervise.sh"
START_S = 5.0


@dataclass(frozen=True)
class PlainLauncher:
    """Units on a host where systemd isn't process 1."""

    lab: str
    root: Path

    @property
    def home(self) -> Path:
        """The lab's cgroup, which holds its units'."""
        return self.root / f"quartet-{self.lab}"

    def start(
        self, unit: str, argv: Sequence[str], log: Path, limits: Limits | None = None
    ) -> None:
        """Start a program that outlives us; 133 as its exit status starts it again."""
        self._make(unit, limits)
        process = self._spawn(unit, argv, log)
        has_begun = is_reached(
            lambda: self.cgroup(unit).is_populated() or process.poll() is not None,
            within_s=START_S,
        )
        if not has_begun:
            raise QuartetError(unit, "did not join its cgroup", f"see {log}")

    def call(self, unit: str, argv: Sequence[str], log: Path) -> int:
        """Run a program to its end and return its exit status."""
        self._make(unit, None)
        try:
            return self._spawn(unit, argv, log).wait()
        finally:
            self.cgroup(unit).kill()
            self.clean(unit)

    def cgroup(self, unit: str) -> Cgroup:
        """Return the cgroup that holds a unit, running or not."""
        return Cgroup(self.home / unit)

    def units(self) -> list[str]:
        """Name the units of this lab that left a trace."""
        return sorted(path.name for path in self.home.glob("*/"))

    def clean(self, unit: str) -> None:
        """Remove what an ended unit left behind."""
        for home in self._homes:
            Cgroup(home / unit).remove()

    def close(self) -> None:
        """Remove the lab's own cgroup; all of its units must be cleaned."""
        for home in self._homes:
            if home.is_dir():
                home.rmdir()

    @property
    def _homes(self) -> tuple[Path, Path]:
        """On a hybrid host systemd-nspawn mirrors its cgroups in the hierarchy named systemd."""
        return self.home, self.root.parent / "systemd" / self.home.name

    def _make(self, unit: str, limits: Limits | None) -> None:
        self.clean(unit)
        path = self.cgroup(unit).path
        path.mkdir(parents=True)
        if limits and (path / "memory.max").exists():
            (path / "memory.max").write_text(str(limits.memory_mb * 1024 * 1024))
        if limits and (path / "cpu.max").exists():
            (path / "cpu.max").write_text(f"{limits.cpus * 100_000} 100000")

    def _spawn(self, unit: str, argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                ["sh", str(SUPERVISOR), str(self.cgroup(unit).path), *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
            )
