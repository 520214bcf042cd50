"""A release: the application's folder as an archive whose name is its content."""

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from provision.errors import QuartetError

_LEFT_OUT = {"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv"}
_ID_LENGTH = 12
_OLDEST_MTIME = 1_000_000_000
_MTIMES = 600_000_000


@dataclass(frozen=True)
class Release:
    """An application folder, packed."""

    id: str
    archive: bytes = field(repr=False)


@cache
def release_of(folder: Path) -> Release:
    """Pack a folder; the same content gives the same id, whoever packs it and when."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _files(folder):
            _add(archive, path, str(path.relative_to(folder)))
    content = buffer.getvalue()
    return Release(hashlib.sha256(content).hexdigest()[:_ID_LENGTH], content)


def _files(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        _refuse_linked(Path(parent), folders)
        found += [Path(parent, name) for name in names if not name.endswith(".pyc")]
    return sorted(found)


def _refuse_linked(parent: Path, folders: Sequence[str]) -> None:
    """A link to a folder would be left out without a word, and the release would lack its files."""
    for name in folders:
        if Path(parent, name).is_symlink():
            raise QuartetError(
                str(parent / name), "is a link to a folder", "put the folder itself there"
            )


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Only what matters to the application goes in: name, content and whether it can be run."""
    entry = tarfile.TarInfo(name)
    content = _read(path)
    entry.size = len(content)
    entry.mtime = _mtime(content)
    entry.mode = 0o755 if os.access(path, os.X_OK) and path.stat().st_mode & 0o100 else 0o644
    archive.addfile(entry, io.BytesIO(content))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise QuartetError(
            str(path), f"can't be read for the release: {error.strerror}", "mend or remove it"
        ) from error


def _mtime(content: bytes) -> int:
    """A time of change (seconds since 1970) that is the content's own.

    Nginx makes a file's ETag of its time and size: so it is the same on every web machine, and
    another one for other content of the same size.
    """
    return _OLDEST_MTIME + zlib.crc32(content) % _MTIMES
