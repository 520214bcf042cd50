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


@dataclass(frozen=True)
class Migration(Resource):
    """A command that has been run for this version, as the application's user.

    Its environment comes from a file that only root reads, so no password is on a command line.
    """

    ID: ClassVar[str] = "migration"

    command: tuple[str, ...]
    folder: str
    user: str
    environment: str
    version: str
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
            f"{shlex.join(run)} 2>&1 || exit 1",
            "set -eu",
            "mkdir -p /var/lib/quartet",
            f"printf %s {shlex.quote(self.version)} > {STAMP}.new",
            f"mv -f {STAMP}.new {STAMP}",
        ]
        host.run("\n".join(script), timeout_s=MIGRATION_TIMEOUT_S + 30)
