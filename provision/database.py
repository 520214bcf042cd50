"""The data tier as a person handles it: each command runs the agent on a database machine.

The agents there do the work (files/dbagent), so that what was begun is finished even where the
command is killed, and a failover that they do by themselves goes the same way.
"""

import getpass
import json
import shlex
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.connection import CommandFailedError, Connection
from provision.console import say
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.lab.client import make_folder
from provision.mysql.agent import COMMAND, refusal
from provision.topology import Topology

PATIENCE_S = 0.1
"""How long machines that don't answer are waited for, once half of them do."""
OPERATION_S = 4000  # the longest part is CLONE
STATUS_S = 15
FENCE_S = 10
UNKNOWN_WORDS = 2
"""argparse's exit status, of an agent of an earlier release."""


@dataclass(frozen=True)
class View:
    """What one machine's agent sees; `data` is what its `dbagent status` prints."""

    machine: str
    data: dict[str, Any]

    @property
    def primary(self) -> str | None:
        """Who takes writes, or whom the replicas follow."""
        name: str | None = self.data["primary"]
        return name

    @property
    def servers(self) -> list[dict[str, Any]]:
        """All servers, in the topology's order."""
        servers: list[dict[str, Any]] = self.data["servers"]
        return servers

    @property
    def answering(self) -> int:
        """How many servers answered it."""
        return sum(bool(server["answers"]) for server in self.servers)


class Databases:
    """The database machines of a topology, over their agents."""

    def __init__(self, topology: Topology, fleet: Fleet, folder: Path) -> None:
        self._fleet = fleet
        self._folder = folder
        self._names = [machine.name for machine in topology.databases]
        self._reasons: dict[str, QuartetError] = {}

    def status(self) -> View:
        """The view of the machine that sees most; QuartetError where none can be asked."""
        return max(self._views(), key=lambda view: view.answering)

    def switchover(self, to: str) -> None:
        """Make another server primary, and say what was done and how long writers waited."""
        if to and to not in self._names:
            known = ", ".join(self._names)
            raise QuartetError(to, "is no database machine", f"pick one of {known}")
        result = self._run(self.status().machine, "switchover", *(["--to", to] if to else []))
        _tell(result)

    def failover(self) -> None:
        """Promote a replica in the place of a primary that is dead or cut off."""
        _tell(self._replace_unreachable() or self._replace())

    def rejoin(self, name: str) -> None:
        """Let a server that was away follow again; what only it had is saved here first."""
        result = self._run(name, "rejoin")
        _tell(result)
        if result["saved"]:
            say(f"its own transactions are saved in {self._fetch(name, result['saved'])}")

    def _replace_unreachable(self) -> dict[str, Any] | None:
        """Replace a primary whose machine was not reached in time; None: all are to be asked.

        It is not closed over SSH, so nobody has to know first who it is: the agent finds out.
        """
        reachable = self._reachable()
        off = [name for name in self._names if name not in reachable]
        if not (off and reachable):
            return None
        try:
            result = self._run(reachable[0], "failover", "--off", ",".join(off))
        except QuartetError as error:
            is_older_agent = getattr(error, "exit_code", None) == UNKNOWN_WORDS
            if not is_older_agent and self._best().machine == reachable[0]:
                raise
            return None
        return result if result["primary"] else None

    def _replace(self) -> dict[str, Any]:
        """Replace whoever is the primary, and close that one first where it can be reached."""
        best = self._best()
        primary = best.primary
        fenced = primary in self._reachable() and self._fence(str(primary), best)
        return self._run(best.machine, "failover", *(["--fenced"] if fenced else []))

    def _best(self) -> View:
        """The view of who should do it: not the old primary's machine, and one that sees most."""
        return max(self._views(), key=lambda view: (view.machine != view.primary, view.answering))

    def _fence(self, primary: str, view: View) -> bool:
        """Close the old primary over SSH, unless it is alive for the others too."""
        [server] = [each for each in view.servers if each["name"] == primary]
        if server["role"] == "primary":
            return False
        try:
            [told] = self._run(primary, "fence", timeout_s=FENCE_S)["told"]
        except QuartetError as error:
            say(f"{primary} could not be closed over SSH: {error.what}")
            return False
        say(told)
        return True

    def _fetch(self, name: str, path: str) -> Path:
        folder = self._folder / "errant"
        make_folder(folder)
        copy = folder / f"{name}-{Path(path).name}"
        copy.touch(mode=0o600)
        copy.write_text(self._fleet[name].run(shlex.join(["cat", "--", path])))
        return copy

    def _reachable(self) -> list[str]:
        found = self._fleet.reachable(self._names, PATIENCE_S)
        self._reasons = {n: e for n, e in found.items() if isinstance(e, QuartetError)}
        return [name for name, error in found.items() if error is None]

    def _views(self) -> list[View]:
        """What the machines that can be reached see; QuartetError where there is none."""
        asked = dict.fromkeys(self._reachable(), ("status",))
        answers = self._fleet.each(asked, lambda host, words: _ask(host, words, STATUS_S))
        views = [View(name, each) for name, each in answers.items() if isinstance(each, dict)]
        if views:
            return views
        failed = [e for e in answers.values() if isinstance(e, QuartetError)]
        reasons = [*self._reasons.values(), *failed]
        raise QuartetError(
            "the databases",
            "no database machine can be asked" + "".join(f"\n- {each}" for each in reasons),
            "./lab status, then ./lab up",
        )

    def _run(self, machine: str, *words: str, timeout_s: float = OPERATION_S) -> dict[str, Any]:
        who = f"{getpass.getuser()} on {socket.gethostname()}"
        answers = self._fleet.each(
            {machine: (*words, "--by", who)}, lambda host, each: _ask(host, each, timeout_s)
        )
        answer = answers[machine]
        if isinstance(answer, QuartetError):
            raise answer
        return answer


def _ask(host: Connection, words: Iterable[str], timeout_s: float) -> dict[str, Any]:
    """Run the agent's command; its own refusals are errors as a person reads them."""
    try:
        output = host.run(shlex.join([COMMAND, *words]), timeout_s=timeout_s, alone=False)
    except CommandFailedError as error:
        raise refusal(error) from error
    answer: dict[str, Any] = json.loads(output)
    return answer


def _tell(result: dict[str, Any]) -> None:
    for line in result["told"]:
        say(line)
    if "primary" in result:
        say(f"{result['primary']} is the primary")
    if result.get("pause_s") is not None:
        say(f"writes waited for {result['pause_s']:.2f} s")
