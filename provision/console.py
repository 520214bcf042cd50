"""How tasks end: an error that a person can act on is shown in full, and the exit status is 1."""

import functools
from collections.abc import Callable
from typing import ParamSpec

from invoke.exceptions import Exit

from provision.errors import QuartetError

P = ParamSpec("P")


def reports_errors(action: Callable[P, None]) -> Callable[P, None]:
    """Show a QuartetError without a traceback, and end with status 1."""

    @functools.wraps(action)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            action(*args, **kwargs)
        except QuartetError as error:
            raise Exit(f"error: {error}", code=1) from error
        except KeyboardInterrupt as error:
            raise Exit("interrupted; run the same command again to finish", code=130) from error

    return reporting


def say(line: str) -> None:
    """One line of what goes on, at once, on standard output."""
    print(line, flush=True)
