"""A dump: everything that the server has, as of one moment, while it goes on working."""

import re
import subprocess
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dbbackup.config import Config
from dbbackup.encryption import sealing
from dbbackup.failures import BackupError
from dbbackup.moments import as_name, as_text, now
from dbbackup.pipes import pipeline, pump
from dbbackup.sql import Server
from dbbackup.store import Facts, Store

# One consistent snapshot of all InnoDB tables, with the GTIDs that are in it. --source-data makes
# all versions take it under a short global lock, so that both are of the same moment:
# https://dev.mysql.com/doc/refman/8.4/en/mysqldump.html
OPTIONS = (
    "--single-transaction",
    "--source-data=2",
    "--set-gtid-purged=ON",
    "--all-databases",
    "--routines",
    "--events",
    "--triggers",
    "--hex-blob",
    "--flush-privileges",
    "--quick",
)
# 8.0 and later: SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'UUID:1-9,
# UUID:1-5';
_GTIDS = re.compile(rb"^SET @@GLOBAL\.GTID_PURGED=(?:/\*!80000 '\+'\*/ )?'([^']*)';", re.MULTILINE)
_BEGINNING = 4 << 20
_END = b"-- Dump completed"


class Watch:
    """Reads along: the GTIDs at the dump's beginning, and whether its end is there."""

    def __init__(self) -> None:
        self.gtid: str | None = None
        self.taken_at: datetime | None = None
        self._beginning = b""
        self._end = b""

    def take(self, piece: bytes) -> None:
        """Look at the next piece."""
        self._end = (self._end + piece)[-200:]
        if self.gtid is None and len(self._beginning) < _BEGINNING:
            self._beginning += piece
            self._find()

    def facts(self) -> Mapping[str, str]:
        """What it is a dump of; BackupError where it is not a whole one."""
        if self.gtid is None or self.taken_at is None or _END not in self._end:
            raise BackupError("mysqldump ended before its dump was complete; nothing was kept")
        return {"gtid": self.gtid, "taken_at": as_text(self.taken_at)}

    def _find(self) -> None:
        found = _GTIDS.search(self._beginning)
        if found:
            self.gtid = found[1].decode().replace("\n", "").replace(" ", "")
            # The snapshot is older than what is said of it.
            self.taken_at = now()


def take(store: Store, server: Server, config: Config) -> Facts:
    """Dump the live server into the archive; returns what is now known of that dump."""
    began_at = now()
    name = f"{as_name(began_at)}-{config.machine}.sql.zst.age"
    about = {
        "machine": config.machine,
        "recipient": config.recipient,
        "began_at": as_text(began_at),
        **_about(server),
    }
    watch = Watch()
    with (
        pipeline(*sealing(config.recipient), feed=subprocess.PIPE) as seal,
        pipeline(server.command("mysqldump", *OPTIONS)) as source,
    ):
        feeding = _Feeding(source.output, seal.input, watch)

        def tell() -> dict[str, Any]:
            feeding.join()
            # Were the reader dead, mysqldump would wait for it for ever.
            seal.finish()
            source.finish()
            return {**about, **watch.facts()}

        return store.add("dump", name, seal.output, tell)


class _Feeding(threading.Thread):
    """Hands a dump on, and looks at it on the way."""

    def __init__(self, source: Any, target: Any, watch: Watch) -> None:
        super().__init__(daemon=True)
        self._source, self._target, self._watch = source, target, watch
        self.start()

    def run(self) -> None:
        try:
            pump(self._source, self._hand_on)
            self._target.close()
        except OSError:
            return  # who reads it has died, and says why

    def _hand_on(self, piece: bytes) -> None:
        self._watch.take(piece)
        self._target.write(piece)


def _about(server: Server) -> dict[str, Any]:
    row = server.rows("SELECT @@server_uuid, @@version, @@lower_case_table_names")[0]
    return {"server_uuid": row[0], "version": row[1], "lower_case_table_names": int(row[2])}
