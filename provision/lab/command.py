"""Programs on the host: run one, and say clearly which one failed and what it said last."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence

from provision.errors import QuartetError

TAIL_LINES = 8


class CommandError(QuartetError):
    """A program on the host ended with another status than 0."""


def run(argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it wrote to stdout.

    Raises CommandError with the last lines of both streams when its status isn't 0.
    """
    done = subprocess.run(argv, input=stdin, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = tail(f"{done.stdout}\n{done.stderr}")
        raise CommandError(
            "this host", f"`{shlex.join(argv)}` ended with {done.returncode}: {said}"
        )
    return done.stdout


def succeeds(argv: Sequence[str]) -> bool:
    """Tell whether a program that only looks ends with status 0."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """Return the last lines that aren't empty."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
