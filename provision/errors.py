"""The one kind of error that a person is meant to read."""


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
