"""The lab's secrets as the checks need them, read from its secrets.json."""

import json
from dataclasses import dataclass, field
from pathlib import Path

PASSWORD_PREFIX = "mysql_"


@dataclass(frozen=True)
class SecretValues:
    """MySQL passwords by user, and the certificate (no secret) that its servers are signed by."""

    passwords: dict[str, str] = field(repr=False)
    ca_certificate: str = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "SecretValues":
        """Read the file; raises OSError, ValueError or KeyError where it is not as it should be."""
        values: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            passwords={
                name.removeprefix(PASSWORD_PREFIX): value
                for name, value in values.items()
                if name.startswith(PASSWORD_PREFIX)
            },
            ca_certificate=values["ca_certificate"],
        )
