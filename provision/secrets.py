"""Secrets: made at first use, kept in one git-ignored file that only its owner can read."""

import json
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from provision.errors import QuartetError

PRIVATE = 0o600
_LENGTH_BYTES = 24


class SecretStore:
    """Named secrets in a JSON file of mode 0600; what is asked for and missing is made.

    A store without a file, or one told not to `keep` anything (for planning), makes secrets in
    memory alone.
    """

    def __init__(self, path: Path | None, *, keep: bool = True) -> None:
        self._path = path
        self._keep = keep
        self._values = self._load()

    def password(self, name: str) -> str:
        """The password under this name: letters, digits, - and _ alone."""
        return self.get(name, lambda: secrets.token_urlsafe(_LENGTH_BYTES))

    def get(self, name: str, make: Callable[[], str]) -> str:
        """The value under this name, made by `make` and saved if there is none yet."""
        if name not in self._values:
            self.put(name, make())
        return self._values[name]

    def peek(self, name: str) -> str | None:
        """The value under this name, or None."""
        return self._values.get(name)

    def put(self, name: str, value: str) -> None:
        """Save a value under this name."""
        self._values[name] = value
        self._save()

    def _load(self) -> dict[str, str]:
        if self._path is None or not self._path.exists():
            return {}
        self._refuse_open_mode(self._path)
        try:
            values = json.loads(self._path.read_text())
            if not isinstance(values, dict):
                raise ValueError("it holds no object")
        except (OSError, ValueError) as error:
            raise QuartetError(
                str(self._path),
                f"can't be read as JSON: {error}",
                "bring it back from a backup; without it the databases' passwords are lost",
            ) from error
        return {str(name): str(value) for name, value in values.items()}

    @staticmethod
    def _refuse_open_mode(path: Path) -> None:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise QuartetError(
                str(path), f"others can read it (mode {mode:04o})", f"run `chmod 600 {path}`"
            )

    def _save(self) -> None:
        if self._path is None or not self._keep:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._values, file, indent=2, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
