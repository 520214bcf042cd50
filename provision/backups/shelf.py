"""Copies of the machines' archives on this computer; a file is there once its JSON is."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from provision.backups.records import DUMP, LOG, Dump, Facts, Log
from provision.errors import QuartetError

PARTIAL = ".partial"
ASIDE = "before-"
NEW_PRIMARY = "new-primary.json"
Take = Callable[[bytes], object]


class Shelf:
    """The copies under one folder, which only its owner can read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def dumps(self) -> list[Dump]:
        """All dumps, oldest first."""
        found = [Dump.from_facts(each) for each in self._facts(DUMP)]
        return sorted(found, key=lambda dump: dump.taken_at)

    def logs(self) -> list[Log]:
        """All binary logs, oldest first."""
        found = [Log.from_facts(each) for each in self._facts(LOG)]
        return sorted(found, key=lambda log: (log.begun_at, log.name))

    def path(self, facts: Facts) -> Path:
        """Where the file is, or belongs."""
        machine, kind, name = (str(facts[key]) for key in ("machine", "kind", "name"))
        return self.root / machine / f"{kind}s" / name

    def has(self, facts: Facts) -> bool:
        """Whether there is a copy of it."""
        return _sidecar(self.path(facts)).exists()

    def add(self, facts: Facts, copy: Callable[[Take], None]) -> None:
        """Keep what `copy` hands over, if it is all that it should be; QuartetError if not."""
        path = self.path(facts)
        self.root.mkdir(mode=0o700, exist_ok=True)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(path.name + PARTIAL)
        try:
            if _written(partial, copy) != facts["sha256"]:
                raise _damaged(facts)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        write_json(_sidecar(path), facts)

    def check(self, facts: Facts) -> None:
        """Raise QuartetError where a copy is not what it was."""
        path = self.path(facts)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unusable(path, f"can't be read: {error.strerror}") from error
        if digest != facts["sha256"]:
            raise _unusable(path, "is damaged: its SHA-256 is not what it was")

    def note_verified(self, dump: Dump, facts: Facts) -> None:
        """Remember that a dump was restored and compared."""
        write_json(_note(self.path(dump.facts)), facts)

    def verified(self, dump: Dump) -> dict[str, Any] | None:
        """What was noted of that, if it was."""
        note = _note(self.path(dump.facts))
        return json.loads(note.read_text()) if note.exists() else None

    def clean(self) -> None:
        """Remove what runs that were cut off have left."""
        for path in self.root.glob("*/*s/*"):
            if path.name.endswith((".age", PARTIAL)) and not _sidecar(path).exists():
                path.unlink()

    def prune(self, keep_days: int, now: datetime) -> None:
        """Remove dumps that are too old, the newest aside, and logs that no dump needs."""
        for dump in self.dumps()[:-1]:
            if dump.taken_at < now - timedelta(days=keep_days):
                self._remove(dump.facts)
        for log in self.logs():
            if not self.wants(log):
                self._remove(log.facts)
        oldest = f"{ASIDE}{now - timedelta(days=keep_days):%Y%m%dT%H%M%SZ}"
        for folder in self.root.glob(f"{ASIDE}*"):
            if folder.name < oldest:
                shutil.rmtree(folder)

    def wants(self, log: Log) -> bool:
        """Whether there is a dump from which a restore would go on with it."""
        return any(log.ended_at >= dump.taken_at for dump in self.dumps()[:1])

    def set_aside(self, moment: datetime, history: str) -> None:
        """Begin anew: these belong to a history that the databases no longer have.

        The new one is named by the server that began it: what has transactions of it stays. Cut
        off, this is finished by the next call: the note of the new primary goes last.
        """
        folder = self.root / f"{ASIDE}{moment.strftime('%Y%m%dT%H%M%SZ')}"
        for kind in (DUMP, LOG):
            for facts in list(self._facts(kind)):
                if history not in facts.get("gtid", "") + facts.get("after", ""):
                    self._move(facts, folder)
        (self.root / NEW_PRIMARY).unlink(missing_ok=True)

    def note_new_primary(self, facts: Facts) -> None:
        """Remember a machine that is about to become primary, with a history of its own."""
        self.root.mkdir(mode=0o700, exist_ok=True)
        write_json(self.root / NEW_PRIMARY, facts)

    def new_primary(self) -> dict[str, Any] | None:
        """What was noted of that, until all that is older is set aside."""
        note = self.root / NEW_PRIMARY
        return json.loads(note.read_text()) if note.exists() else None

    def _move(self, facts: Facts, folder: Path) -> None:
        path = self.path(facts)
        target = folder / path.parent.relative_to(self.root)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What is looked for goes last.
        for each in (path, _note(path), _sidecar(path)):
            if each.exists():
                each.rename(target / each.name)

    def _remove(self, facts: Facts) -> None:
        path = self.path(facts)
        _sidecar(path).unlink()
        for each in (path, _note(path)):
            each.unlink(missing_ok=True)

    def _facts(self, kind: str) -> Iterator[dict[str, Any]]:
        for path in self.root.glob(f"*/{kind}s/*.age.json"):
            yield json.loads(path.read_text())


def write_json(path: Path, facts: Facts) -> None:
    """Write a small file that is there as a whole or not at all."""
    new = path.with_name(path.name + PARTIAL)
    with _told(path), new.open("w") as file:
        json.dump(facts, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
        new.replace(path)


def _written(path: Path, copy: Callable[[Take], None]) -> str:
    digest = hashlib.sha256()
    with _told(path), path.open("wb") as file:

        def take(piece: bytes) -> None:
            # Not an OSError: it would pass for one of the connection's.
            with _told(path):
                file.write(piece)
            digest.update(piece)

        copy(take)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise QuartetError(
            str(path),
            f"can't be written: {error.strerror}; nothing of it was kept",
            f"make room there (`df -h {path.parent}`), and run the same command again",
        ) from error


def _damaged(facts: Facts) -> QuartetError:
    return QuartetError(
        facts["machine"],
        f"{facts['name']} in its archive is damaged: its SHA-256 is not what it was",
        f"remove it and its .json: ./lab ssh {facts['machine']} sudo rm"
        f" /var/backups/quartet/{facts['kind']}s/{facts['name']}{{,.json}}",
    )


def _unusable(path: Path, what: str) -> QuartetError:
    return QuartetError(
        str(path), what, f"remove it (rm {path} {path}.json); a good copy is fetched where one is"
    )


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")
