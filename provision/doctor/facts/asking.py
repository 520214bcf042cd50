"""Programs that are asked a question: each has a time-out, and a missing one is an answer too."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

ANSWER_S = 3.0
SLOW_ANSWER_S = 15.0  # Vagrant loads all of its plugins before it says anything
MISSING, TIMED_OUT = 127, 124  # the statuses that a shell and timeout(1) use
ENGLISH = {"LC_MESSAGES": "C", "LANGUAGE": "C"}


@dataclass(frozen=True)
class Answer:
    """How a program ended, and what it said."""

    status: int
    out: str = ""
    err: str = ""

    @property
    def succeeded(self) -> bool:
        """Tell whether it was there, came to an end in time and was content."""
        return self.status == 0

    @property
    def is_missing(self) -> bool:
        """Tell whether there is no such program."""
        return self.status == MISSING


def ask(argv: Sequence[str], *, within_s: float = ANSWER_S) -> Answer:
    """Run a program that only looks, for so many seconds at most."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
            env={**os.environ, **ENGLISH},
        )
    except subprocess.TimeoutExpired:
        return Answer(TIMED_OUT, err=f"no answer within {within_s:.0f} s")
    except OSError as error:
        return Answer(MISSING, err=str(error))
    return Answer(done.returncode, done.stdout, done.stderr)
