"""The application's own migration, run once for each release before it goes live."""

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from provision.resources.base import Host, Resource, State
from provision.resources.facts import Fact, Snapshot
from provision.resources.file import FILES

MIGRATION_TIMEOUT_S = 600
STAMP = "/var/lib/quartet/migrated"
READY_S = 30
# Where there is no primary yet, the load balancer in front of it hangs up at once.
_WAIT = """
python3 - <<'QUARTET_PY' || exit 1
import socket, sys, time
deadline = time.monotonic() + {within_s}
while time.monotonic() < deadline:
    try:
        with socket.create_connection(("{address}", {port}), 2) as connection:
            connection.settimeout(2)
            if connection.recv(1):
                sys.exit()
    except OSError:
        pass
    time.sleep(0.1)
sys.exit("no database takes writes at {address}:{port} after {within_s} s")
QUARTET_PY
"""


@dataclass(frozen=True)
class Migration(Resource):
    """A command that has been run for this version, as the application's user.

    It waits until something that speaks first, as MySQL does, answers at `ready` (address, port).
    Its environment comes from a file that only root reads, so no password is on a command line.
    """

    ID: ClassVar[str] = "migration"

    command: tuple[str, ...]
    folder: str
    user: str
    environment: str
    version: str
    ready: tuple[str, int]
    requires: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        return self.ID

    def facts(self) -> tuple[Fact, ...]:
        return (Fact(FILES, STAMP),)

    def desired(self) -> State:
        return {"migrated": hashlib.sha256(self.version.encode()).hexdigest()}

    def actual(self, snapshot: Snapshot) -> State:
        return {"migrated": (snapshot.get(Fact(FILES, STAMP)) or {}).get("sha256", "never")}

    def effects(self, changes: Mapping[str, str]) -> list[str]:
        return [f"runs {shlex.join(self.command)}"]

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        run = [
            "systemd-run",
            "--quiet",
            "--wait",
            "--pipe",
            "--collect",
            f"--property=User={self.user}",
            f"--property=WorkingDirectory={self.folder}",
            f"--property=EnvironmentFile={self.environment}",
            f"--property=RuntimeMaxSec={MIGRATION_TIMEOUT_S}",
            "--setenv=PYTHONDONTWRITEBYTECODE=1",
            "--",
            "/usr/bin/env",
            *self.command,
        ]
        script = [
            _WAIT.format(address=self.ready[0], port=self.ready[1], within_s=READY_S),
            f"{shlex.join(run)} 2>&1 || exit 1",
            "set -eu",
            "mkdir -p /var/lib/quartet",
            f"printf %s {shlex.quote(self.version)} > {STAMP}.new",
            f"mv -f {STAMP}.new {STAMP}",
        ]
        host.run("\n".join(script), timeout_s=MIGRATION_TIMEOUT_S + 30)
