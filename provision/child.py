"""A program of the project's own, run until it has put everything right."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run_to_its_end(command: Sequence[str], pass_fds: Sequence[int] = ()) -> int:
    """Run a command in the project's folder and return its exit status.

    The terminal sends Ctrl-C to the command too, which then tidies up. KeyboardInterrupt is raised
    once it has ended, however often that was pressed; subprocess.run would kill it after 0.25 s.
    """
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=pass_fds)
    interruption: KeyboardInterrupt | None = None
    while process.returncode is None:
        try:
            process.wait()
        except KeyboardInterrupt as error:
            interruption = error
    if interruption is not None:
        raise interruption
    return process.returncode
