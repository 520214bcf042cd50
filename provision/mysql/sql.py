"""SQL on a database machine: as root over the local socket, the statements on standard input.

Nothing of a statement stands on a command line, so passwords in it are in no process list.
"""

import shlex

from provision.errors import CutOffError, QuartetError
from provision.resources import Host

CLIENT = (
    "mysql",
    "--no-defaults",
    "--user=root",
    "--protocol=socket",
    "--batch",
    "--skip-column-names",
)
SQL_TIMEOUT_S = 60
ALL_DONE = "quartet: all of it"
TIMED_OUT = 124  # timeout(1)


def execute(host: Host, *statements: str, timeout_s: float = SQL_TIMEOUT_S) -> list[list[str]]:
    """Run statements on the machine's server and return the rows, as text.

    The remote client itself is ended after `timeout_s` seconds, so none is left behind waiting.
    It ends well, too, where its input breaks off: that all was run is seen from the last row, and
    CutOffError says that it was not.
    """
    sql = ";\n".join([*statements, f"SELECT '{ALL_DONE}'", ""])
    command = ["timeout", "--kill-after=5", str(int(timeout_s)), *CLIENT]
    try:
        output = host.run(shlex.join(command), stdin=sql.encode(), timeout_s=timeout_s + 10)
    except QuartetError as error:
        if getattr(error, "exit_code", None) == TIMED_OUT:
            raise _no_answer(host, timeout_s) from error
        raise
    table = rows(output)
    if not table or table.pop() != [ALL_DONE]:
        raise CutOffError(
            host.name,
            "MySQL's client ended before it had run all that it was given",
            "run the command again, which finishes what is left",
        )
    return table


def _no_answer(host: Host, timeout_s: float) -> QuartetError:
    return QuartetError(
        host.name,
        f"MySQL gave no answer within {timeout_s:.0f} s;"
        " so it looks when a commit waits for a replica that is away",
        "are the replicas running? `./lab status`, then `./lab provision` again",
    )


def rows(output: str) -> list[list[str]]:
    """Read what the client printed in batch mode: one row a line, tabs between columns."""
    return [line.split("\t") for line in output.splitlines() if line]
