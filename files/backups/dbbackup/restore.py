"""Restoring: a dump into a scratch server, then the archived binary logs up to a moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbbackup import ending, scratch, sent
from dbbackup.binlogs import READER, Transaction, chosen, listing, transactions
from dbbackup.checksums import checksums, row_counts
from dbbackup.encryption import opened
from dbbackup.failures import BackupError
from dbbackup.pipes import Pipeline, pipeline
from dbbackup.sql import Server
from dbbackup.store import Store, refuse_full_disk, sha256_of, write

# Of a dump's compressed size, what a server needs for it: measured loosely, to refuse early.
GROWTH = 12
Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to restore: a dump, logs in this order, and where to stop; `sent` is their folder.

    `include` has the only transactions that are wanted (None: all); a log's `exclude` has those
    that its server itself gave up later. It stops before the first transaction that was committed
    at `before_us` (µs since 1970) or later, or before `before_gtid`. With `keep` the server goes on
    running; with `install` it is stopped, and its data wait to become the live ones.
    """

    identity: str = field(repr=False)
    dump: Mapping[str, Any]
    sent: str
    logs: Sequence[Mapping[str, Any]] = ()
    include: str | None = None
    before_us: int | None = None
    before_gtid: str | None = None
    keep: bool = False
    install: bool = False
    sums: bool = False

    def stops_at(self, transaction: Transaction) -> bool:
        """Whether this is the first that must not be there."""
        late = self.before_us is not None and transaction.committed_us >= self.before_us
        return late or transaction.gtid == self.before_gtid


@dataclass
class Progress:
    """How far a restore has come."""

    last: Transaction | None = None
    stopped_before: Transaction | None = None


def restore(request: Request, store: Store, say: Say) -> dict[str, Any]:
    """Restore into the scratch server, and say what is in it; it is removed unless kept."""
    with sent.folder(request.sent) as folder, scratch.held():
        sent.remove_left_over()
        scratch.prepare()
        kept = False
        try:
            paths = [_input(store, folder, facts) for facts in (request.dump, *request.logs)]
            server, progress = _restored(request, paths, say)
            result = _result(server, progress, with_sums=request.sums)
            if request.keep:
                scratch.keep(f"{request.dump['name']}, up to {result['executed']}")
            if request.install:
                server.rows("RESET REPLICA ALL")
                scratch.finish()
            kept = request.keep or request.install
            return result
        finally:
            if not kept:
                ending.tidy_undisturbed()
                scratch.remove()


def _input(store: Store, folder: Path, facts: Mapping[str, Any]) -> Path:
    """The file, sent here or archived here; BackupError unless it is what it was."""
    name = str(facts["name"])
    path = folder / name
    if not path.exists():
        path = store.folder(facts["kind"]) / name
    if not path.exists():
        raise BackupError(f"{name} is not here", "run the same command again")
    if sha256_of(path) != facts["sha256"]:
        raise BackupError(
            f"{path} is damaged: its SHA-256 is not what it was",
            "remove it and its .json, and restore from an earlier dump; then ./lab db.backup",
        )
    return path


def _restored(request: Request, paths: Sequence[Path], say: Say) -> tuple[Server, Progress]:
    dump, *logs = paths
    refuse_full_disk(scratch.ROOT, dump.stat().st_size * GROWTH)
    server = scratch.start(request.dump["lower_case_table_names"])
    say(f"loading {dump.name}")
    _load(server, dump, request.identity)
    progress = Progress()
    for facts, path in zip(request.logs, logs, strict=True):
        if progress.stopped_before is None:
            say(f"replaying {path.name}")
            _replay(server, path, facts, request, progress)
    return server, progress


def _load(server: Server, dump: Path, identity: str) -> None:
    client = server.command("mysql", "--binary-mode", "--max-allowed-packet=1G")
    with opened(dump, identity, client) as running:
        running.output.read()


def _replay(
    server: Server, path: Path, facts: Mapping[str, Any], request: Request, progress: Progress
) -> None:
    plain = scratch.ROOT / "log"
    with opened(path, request.identity) as running:
        write(running.output, plain)
    exclude = ",".join(filter(None, [server.executed, facts.get("exclude", "")]))
    options = chosen(exclude, request.include)
    _find_end(plain, options, request, progress)
    if progress.stopped_before is not None:
        options.append(f"--stop-position={progress.stopped_before.position}")
    _apply(server, plain, options)
    plain.unlink()


def _find_end(plain: Path, options: Sequence[str], request: Request, progress: Progress) -> None:
    """Read through a log, as far as it is wanted."""
    with _lines(listing(plain, options)) as lines:
        for transaction in transactions(lines):
            if request.stops_at(transaction):
                progress.stopped_before = transaction
                return
            progress.last = transaction


class _lines:  # noqa: N801 reads as a function
    """The lines that a program prints; it may be left before it ends."""

    def __init__(self, command: Sequence[str]) -> None:
        self._running = Pipeline(command)

    def __enter__(self) -> Any:
        return (line.decode(errors="replace").rstrip("\n") for line in self._running.output)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self._running.output.read(1):
            self._running.finish()
        self._running.stop()


def _apply(server: Server, plain: Path, options: Sequence[str]) -> None:
    client = server.command("mysql", "--binary-mode", "--max-allowed-packet=1G")
    with pipeline([*READER, *options, str(plain)], client) as running:
        running.output.read()


def _result(server: Server, progress: Progress, *, with_sums: bool) -> dict[str, Any]:
    executed, sums = checksums(server) if with_sums else (server.executed, {})
    return {
        "executed": executed,
        "sums": sums,
        "rows": row_counts(server),
        "last": _told(progress.last),
        "stopped_before": _told(progress.stopped_before),
    }


def _told(transaction: Transaction | None) -> dict[str, Any] | None:
    if transaction is None:
        return None
    return {"gtid": transaction.gtid, "committed_us": transaction.committed_us}
