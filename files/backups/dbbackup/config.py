"""What the machine's configuration tells: for whom to encrypt, when, and for how long to keep."""

import json
from dataclasses import dataclass
from pathlib import Path

from dbbackup.failures import BackupError

PATH = Path("/etc/dbbackup/config.json")


@dataclass(frozen=True)
class Config:
    """The settings; `databases` are the names of all database machines, in the topology's order."""

    machine: str
    databases: tuple[str, ...]
    recipient: str
    at: str
    keep_days: int
    max_lag_s: float

    @classmethod
    def load(cls, path: Path = PATH) -> "Config":
        """Read the file that provisioning has written; BackupError where that can't be done."""
        try:
            data = json.loads(path.read_text())
            return cls(**{**data, "databases": tuple(data["databases"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackupError(f"{path} can't be read: {error}", "./lab provision") from error
