"""The machines as the drill reaches them: scripts as root over ssh, beside whatever runs there.

The project's own connection lets one script at a time run on a machine. A fault has to come while
another command is at work there, so the drill doesn't wait in that line.
"""

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from provision.errors import QuartetError

_OPTIONS = ("BatchMode=yes", "ConnectTimeout=3", "ServerAliveInterval=1", "ServerAliveCountMax=3")
# Neither ssh nor sudo has to name root's folders.
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_AS_ROOT = (
    "sh",
    "-c",
    'if [ "$(id -u)" = 0 ]; then exec "$@"; else exec sudo -n -- "$@"; fi',
    "sh",
)


@dataclass(frozen=True)
class Machines:
    """All machines; `config` is the ssh configuration that knows them."""

    config: Path

    def argv(self, name: str, *command: str) -> list[str]:
        """Words that run a command as root on a machine."""
        options = [word for option in _OPTIONS for word in ("-o", option)]
        remote = shlex.join([*_AS_ROOT, *command])
        return ["ssh", "-F", str(self.config), *options, name, remote]

    def run(self, name: str, script: str, *arguments: str, timeout_s: float = 30) -> str:
        """Run a root shell script on a machine and return its output.

        QuartetError where it fails, where the machine can't be reached, and after `timeout_s`.
        """
        argv = self.argv(name, "env", _PATH, "sh", "-s", "--", *arguments)
        try:
            done = subprocess.run(
                argv, input=script, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise QuartetError(
                name, f"no answer within {timeout_s:.0f} s", "./lab status"
            ) from error
        if done.returncode != 0:
            raise QuartetError(name, f"the drill's script failed: {_last(done)}", _hint(name))
        return done.stdout


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr or done.stdout).strip()[-500:] or f"status {done.returncode}"


def _hint(name: str) -> str:
    return f"can root be had there without a password? ./lab ssh {name} sudo -n true"
