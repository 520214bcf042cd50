"""Units on a host with systemd: transient services with a cgroup delegated to them."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.lab.cgroup import Cgroup
from provision.lab.command import run
from provision.lab.units import Limits
from provision.polling import is_reached

FORGOTTEN_S = 5.0


@dataclass(frozen=True)
class SystemdLauncher:
    """Units as transient services of the host's systemd."""

    lab: str
    root: Path

    def start(
        self, unit: str, argv: Sequence[str], log: Path, limits: Limits | None = None
    ) -> None:
        """Start a program that outlives us; 133 as its exit status starts it again."""
        run([*self._command(unit, log, limits), *argv])

    def call(self, unit: str, argv: Sequence[str], log: Path) -> int:
        """Run a program to its end and return its exit status."""
        command = [*self._command(unit, log, None), "--wait", *argv]
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode

    def cgroup(self, unit: str) -> Cgroup:
        """Return the cgroup that holds a unit, running or not."""
        return Cgroup(self.root / "system.slice" / self._service(unit))

    def units(self) -> list[str]:
        """Name the units of this lab that left a trace."""
        services = (self.root / "system.slice").glob(self._service("*"))
        return sorted(path.name.split(".")[1] for path in services)

    def clean(self, unit: str) -> None:
        """Wait until systemd has forgotten an ended unit: only then can it be started again."""
        show = ["systemctl", "show", "--property=LoadState", "--value", self._service(unit)]
        is_reached(lambda: run(show).strip() == "not-found", within_s=FORGOTTEN_S)

    def close(self) -> None:
        """Nothing: services share systemd's own slice."""

    def _service(self, unit: str) -> str:
        return f"quartet-{self.lab}.{unit}.service"

    def _command(self, unit: str, log: Path, limits: Limits | None) -> list[str]:
        properties = [
            "Delegate=yes",
            "KillMode=mixed",
            "RestartForceExitStatus=133",
            "SuccessExitStatus=133",
            "StartLimitIntervalSec=0",
            f"StandardOutput=append:{log}",
            f"StandardError=append:{log}",
        ]
        if limits:
            properties += [f"MemoryMax={limits.memory_mb}M", f"CPUQuota={limits.cpus * 100}%"]
        options = [word for value in properties for word in ("-p", value)]
        name = f"--unit={self._service(unit)}"
        return ["systemd-run", "--quiet", "--collect", "--slice=system.slice", name, *options]
