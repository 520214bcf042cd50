"""The archive: encrypted files, each with a JSON file beside it that says what it is."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from dbbackup.failures import BackupError
from dbbackup.moments import as_name, as_text, from_seconds, from_text
from dbbackup.pipes import CHUNK

ROOT = Path("/var/backups/quartet")
KINDS = ("dump", "log")
PARTIAL = ".partial"
ASIDE = "before-"
BEGAN = "began"
HISTORY = "history.json"
LOGS_LONGER_DAYS = 7
"""Logs outlive dumps, so that a week without a new dump leaves no hole behind the last one."""
RESERVE_BYTES = 256 << 20
Facts = Mapping[str, Any]


class Store:
    """The archive under one folder, which only its owner can read."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        for kind in KINDS:
            self.folder(kind).mkdir(mode=0o700, parents=True, exist_ok=True)
        root.chmod(0o700)

    def folder(self, kind: str) -> Path:
        """Where the files of a kind are: dumps/ or logs/."""
        return self.root / f"{kind}s"

    def facts(self, kind: str) -> list[dict[str, Any]]:
        """What is known of each file of this kind, oldest first; one without its JSON is none."""
        sidecars = sorted(self.folder(kind).glob("*.json"))
        return [json.loads(each.read_text()) for each in sidecars]

    def has(self, kind: str, name: str) -> bool:
        """Whether there is a complete file of this name."""
        return _sidecar(self.folder(kind) / name).exists()

    def add(self, kind: str, name: str, source: IO[bytes], tell: Callable[[], Facts]) -> Facts:
        """Write a file from a stream; `tell` adds, at its end, what is in it.

        Under a name of its own first, and flushed to the disk; its JSON comes last.
        """
        path = self.folder(kind) / name
        partial = path.with_name(name + PARTIAL)
        try:
            size, digest = write(source, partial)
            facts = {"kind": kind, "name": name, "size": size, "sha256": digest, **tell()}
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        _write_json(_sidecar(path), facts)
        return facts

    def clean(self) -> None:
        """Remove what runs that were cut off have left."""
        for kind in KINDS:
            for path in self.folder(kind).iterdir():
                if path.suffix != ".json" and not _sidecar(path).exists():
                    path.unlink()

    def prune(self, keep_days: int, moment: datetime) -> None:
        """Remove what is older than it has to be; the newest dump stays, however old it is."""
        oldest = moment - timedelta(days=keep_days)
        for facts in self.facts("dump")[:-1]:
            if from_text(facts["taken_at"]) < oldest:
                self._remove(facts)
        for facts in self.facts("log"):
            if from_text(facts["ended_at"]) < oldest - timedelta(days=LOGS_LONGER_DAYS):
                self._remove(facts)
        for folder in self.root.glob(f"{ASIDE}*"):
            if folder.name < f"{ASIDE}{as_name(oldest)}":
                shutil.rmtree(folder)

    def set_aside(self, moment: datetime, history: str) -> None:
        """Begin anew: what there is belongs to a history that the databases no longer have.

        The new one is named by the server that began it: what has transactions of it stays. Cut
        off, this is finished by the next call; done, it stays done.
        """
        if self.history == history:
            return
        known = [facts for kind in KINDS for facts in self.facts(kind)]
        old = [facts for facts in known if not _is_of(facts, history)]
        for facts in old:
            self._move(facts, self.root / f"{ASIDE}{as_name(moment)}")
        if old == known:
            (self.root / BEGAN).write_text(as_text(moment))
        _write_json(self.root / HISTORY, {"name": history})

    @property
    def history(self) -> str:
        """The name of the history that was begun last; empty where it is still the first."""
        note = self.root / HISTORY
        return str(json.loads(note.read_text())["name"]) if note.exists() else ""

    @property
    def began_at(self) -> datetime:
        """When the archive was begun anew: binary logs that ended before are of no use to it."""
        note = self.root / BEGAN
        return from_text(note.read_text()) if note.exists() else from_seconds(0)

    def _move(self, facts: Facts, folder: Path) -> None:
        path = self.folder(facts["kind"]) / facts["name"]
        target = folder / path.parent.name
        target.mkdir(parents=True, exist_ok=True)
        # What is looked for goes last.
        for each in (path, _sidecar(path)):
            if each.exists():
                each.rename(target / each.name)

    def _remove(self, facts: Facts) -> None:
        path = self.folder(facts["kind"]) / facts["name"]
        _sidecar(path).unlink()
        path.unlink(missing_ok=True)


def write(source: IO[bytes], path: Path) -> tuple[int, str]:
    """Write a stream to a file that is on the disk afterwards; return its size and SHA-256.

    Raises BackupError before the disk is full: databases write to the same one.
    """
    digest = hashlib.sha256()
    size = 0
    with path.open("wb") as file:
        for piece in _pieces(source):
            refuse_full_disk(path.parent, len(piece))
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def refuse_full_disk(folder: Path, needed_bytes: int) -> None:
    """Raise BackupError where so much more would leave too little for the database."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    reserve = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // 20)
    if free - needed_bytes < reserve:
        raise BackupError(
            f"the disk of {folder} is nearly full: {free >> 20} MB are free, and"
            f" {reserve >> 20} MB are left for the database; nothing was kept",
            f"make room (`du -sh {ROOT}`), or keep fewer days (backups: in topology.yml)",
        )


def sha256_of(path: Path) -> str:
    """The digest of a file as it is now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(CHUNK):
        yield piece


def _is_of(facts: Facts, history: str) -> bool:
    """Whether it has transactions of the server that began that history."""
    return history in facts.get("gtid", "") + facts.get("after", "")


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _write_json(path: Path, facts: Facts) -> None:
    new = path.with_name(path.name + PARTIAL)
    with new.open("w") as file:
        json.dump(facts, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
