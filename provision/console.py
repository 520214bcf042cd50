"""How tasks end: an error that a person can act on is shown in full, and the exit status is 1."""

import functools
import getpass
import re
import shlex
from collections.abc import Callable
from typing import ParamSpec

from invoke.exceptions import Exit

from provision.errors import QuartetError

P = ParamSpec("P")


def reports_errors(action: Callable[P, None], topology: str = "") -> Callable[P, None]:
    """Show a QuartetError without a traceback, and end with status 1.

    The commands that it advises are about the same topology file.
    """

    @functools.wraps(action)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            action(*args, **kwargs)
        except QuartetError as error:
            raise Exit(f"error: {_about(str(error), topology)}", code=1) from error
        except KeyboardInterrupt as error:
            raise Exit("interrupted; run the same command again to finish", code=130) from error

    return reporting


def _about(text: str, topology: str) -> str:
    if not topology:
        return text
    words = f"--topology {shlex.quote(topology)}"
    return re.sub(r"\./lab [a-z.-]+", lambda command: f"{command[0]} {words}", text)


def ask_secret(question: str) -> str:
    """Ask at the terminal for something that is not to be seen; QuartetError without one."""
    try:
        return getpass.getpass(question)
    except (EOFError, OSError) as error:
        raise QuartetError(
            question.split(" (", maxsplit=1)[0].strip(": "),
            "is wanted, and there is no terminal to ask for it",
            "run it at a terminal, or let that user use sudo without a password",
        ) from error


def confirm(question: str) -> bool:
    """Ask at the terminal for a yes; anything else, and nobody being there, is a no."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def say(line: str) -> None:
    """One line of what goes on, at once, on standard output."""
    print(line, flush=True)
