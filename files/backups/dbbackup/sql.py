"""SQL as root over a local socket: of the live server, or of a scratch one."""

import subprocess
from pathlib import Path

from dbbackup.failures import BackupError

_LOGIN = ("--no-defaults", "--user=root", "--protocol=socket")
_BATCH = ("--batch", "--skip-column-names", "--raw")
SYSTEM_SCHEMAS = "('mysql', 'sys', 'information_schema', 'performance_schema')"


class Server:
    """A mysqld on this machine; without a socket of its own it is the live one."""

    def __init__(self, socket: Path | None = None) -> None:
        self._login = [*_LOGIN, *([f"--socket={socket}"] if socket else [])]

    def command(self, program: str, *arguments: str) -> list[str]:
        """One of MySQL's programs, logged in to this server."""
        return [program, *self._login, *arguments]

    def rows(self, *statements: str, timeout_s: float = 60) -> list[list[str]]:
        """Run statements, in one session, and return their rows as text; BackupError if not."""
        sql = ";\n".join([*statements, ""])
        command = self.command("mysql", *_BATCH)
        try:
            done = subprocess.run(
                command, input=sql, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BackupError(
                f"MySQL gave no answer within {timeout_s:.0f} s",
                "see what hangs there: sudo mysql -e 'SHOW PROCESSLIST'",
            ) from error
        if done.returncode:
            raise BackupError(f"MySQL refused: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def value(self, expression: str, timeout_s: float = 60) -> str:
        """The value of an expression."""
        found = self.rows(f"SELECT {expression}", timeout_s=timeout_s)
        return found[0][0]

    @property
    def executed(self) -> str:
        """All transactions that it has applied."""
        return self.value("REPLACE(@@global.gtid_executed, '\\n', '')")
