"""How talking to a machine fails: it can't be reached, isn't who it was, or a command failed."""

from provision.errors import QuartetError

_LAST_LINES = 15
IS_IT_RUNNING = "is it running? `./lab status`; `./lab up --limit {name}` boots a lab's machine"


class UnreachableError(QuartetError):
    """A machine can't be reached, or the connection to it was lost."""

    ends_machine = True


class RunEndingError(UnreachableError):
    """Something that makes going on with the other machines wrong too: nothing is changed."""


class HostKeyError(RunEndingError):
    """A machine shows a host key that nobody has confirmed, or not the one that was confirmed."""


class CommandFailedError(QuartetError):
    """A command ended with an exit status other than 0."""

    def __init__(self, where: str, script: str, exit_code: int, output: str) -> None:
        lines = "\n".join(output.strip().splitlines()[-_LAST_LINES:]) or "it printed nothing"
        super().__init__(
            where, f"{_title(script)} ended with status {exit_code}\n{lines}", _hint(output)
        )
        self.exit_code = exit_code
        self.output = output


def reason(error: BaseException) -> str:
    """What an exception says, or at least what it is."""
    return str(error) or type(error).__name__


def _title(script: str) -> str:
    lines = [line for line in script.strip().splitlines() if not line.startswith(("set ", "umask"))]
    return f"`{lines[0][:100]}{' …' if len(lines) > 1 else ''}`" if lines else "a command"


def _hint(output: str) -> str:
    for sign, hint in _HINTS.items():
        if sign in output:
            return hint
    return "mend what it says and run `./lab provision` again; it goes on where this run stopped"


_DISK_FULL = (
    "the disk is full: free some space there (`df -h`, `sudo apt-get clean`), and run"
    " `./lab provision` again"
)
_HINTS = {
    "No space left on device": _DISK_FULL,
    "You don't have enough free space": _DISK_FULL,
    "Unable to locate package": "the package's name is wrong, or the machine's release has no such"
    " package: see application.packages in topology.yml",
    "a password is required": "that user needs sudo without a password in a lab; for servers that"
    " you have, provider ssh asks for one",
}
