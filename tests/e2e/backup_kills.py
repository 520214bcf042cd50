"""Kill commands about backups at random moments, and see that nothing is lost or left half done.

A command of its own, since putting a restored state in the place of the live one takes a while:

    python -m tests.e2e.backup_kills [--command db.backup] [--kills 10] [--seed 1]

Each time: messages are written, the command is killed with SIGKILL, and it is seen whether the
site takes writes again by itself. Then the command is repeated, and has to succeed; afterwards the
site takes writes, all messages that were acknowledged are there, and so are the replicas.
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

import requests

from tests.e2e.kill_runs import NOTHING_CHANGED
from tests.e2e.sandbox import Run, Sandbox, eventually, random_moments

COMMANDS: dict[str, tuple[float, tuple[str, ...]]] = {
    "db.backup": (2.5, ()),
    "db.verify-backup": (6.0, ()),
    "db.restore": (6.0, ()),
    "db.restore --to-primary": (12.0, ("--to-primary", "--replace")),
}
"""How many seconds each takes, and what more it is told."""
WRITABLE_WITHIN_S = 15
NEXT = re.compile(r"provision --reclone (\S+)")


class Messages:
    """What was written through the front door and acknowledged."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._texts: dict[int, str] = {}

    def write(self) -> bool:
        """Write one; whether it was acknowledged."""
        text = f"message {len(self._texts) + 1}"
        try:
            answer = self._sandbox.post(text)
        except requests.RequestException:
            return False
        if answer.ok:
            self._texts[answer.json()["id"]] = text
        return answer.ok

    def lost(self) -> list[str]:
        """Those that can't be read any more."""
        with requests.Session() as session:
            return [text for id_, text in self._texts.items() if self._read(session, id_) != text]

    def _read(self, session: requests.Session, id_: int) -> str:
        answer = session.get(self._sandbox.url(f"/api/messages/{id_}"), timeout=20)
        return str(answer.json()["text"]) if answer.ok else ""


def kill_and_repeat(sandbox: Sandbox, messages: Messages, command: str, moment_s: float) -> str:
    """Kill it after `moment_s` seconds, repeat it, and tell how it went; or AssertionError."""
    _, more = COMMANDS[command]
    words = (command.split(maxsplit=1)[0], *more)
    assert messages.write(), "no write before"
    was_killed = sandbox.inv_killed(*words, after_s=moment_s)
    began = time.monotonic()
    is_back = eventually(messages.write, WRITABLE_WITHIN_S)
    pause_s = time.monotonic() - began
    repeated = _succeed(sandbox.inv(*words))
    found = NEXT.search(repeated.output)
    if found:
        _succeed(sandbox.inv("provision", "--reclone", found[1]))
    assert eventually(messages.write), "no write afterwards"
    assert not messages.lost(), f"lost: {messages.lost()}"
    assert NOTHING_CHANGED.search(_succeed(sandbox.inv("provision")).output), "not settled"
    ended = "killed" if was_killed else "had ended"
    return f"{ended}; " + (
        f"writable {pause_s:.1f} s later" if is_back else "writable after the repeat"
    )


def _succeed(run: Run) -> Run:
    assert run.code == 0, run.output
    return run


def main() -> int:
    """Do it as often as asked; the exit status is the number of kills after which it was not so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", choices=COMMANDS, action="append")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), name="bkills")
        try:
            _succeed(sandbox.inv("up"))
            messages = Messages(sandbox)
            _succeed(sandbox.inv("db.backup"))
            return sum(
                _report(sandbox, messages, command, moment_s)
                for command in wish.command or COMMANDS
                for moment_s in random_moments(wish.kills, COMMANDS[command][0], wish.seed)
            )
        finally:
            sandbox.inv("destroy")


def _report(sandbox: Sandbox, messages: Messages, command: str, moment_s: float) -> bool:
    try:
        told = kill_and_repeat(sandbox, messages, command, moment_s)
    except AssertionError as error:
        print(f"{command} after {moment_s:4.1f} s: MISSED {error}", flush=True)
        return True
    print(f"{command} after {moment_s:4.1f} s: ok, {told}", flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
