"""The one kind of error that a person is meant to read."""

from collections.abc import Iterable


class QuartetError(Exception):
    """Something went wrong that the person at the keyboard can act on.

    `where` is a machine, a file or a path in a file; `what` is what was found there;
    `next_step` is what to do about it, if possible as a command.
    """

    def __init__(self, where: str, what: str, next_step: str = "") -> None:
        super().__init__(f"{where}: {what}" + (f"\n  next: {next_step}" if next_step else ""))
        self.where = where
        self.what = what
        self.next_step = next_step


class CutOffError(QuartetError):
    """Something ended before all of it was done, and said nothing; to do it again may help."""


def raise_joined(errors: Iterable[QuartetError]) -> None:
    """Raise what is among them: one as it is, several as one error; the same one is told once."""
    different = list({str(error): error for error in errors}.values())
    if len(different) == 1:
        raise different[0]
    if different:
        lines = "\n".join(f"- {error}" for error in different)
        raise QuartetError("several things are in the way", f"\n{lines}")
