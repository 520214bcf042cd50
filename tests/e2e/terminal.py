"""A task at a terminal, where it can ask: over a pseudo-terminal, as a person's shell gives one."""

import re
from collections.abc import Sequence

import pexpect

from tests.e2e.sandbox import INV, ROOT, TASK_TIMEOUT_S, Run, Sandbox

# Colours and moves of the cursor, as ECMA-48 has them.
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def answer(sandbox: Sandbox, words: Sequence[str], answers: Sequence[tuple[str, str]]) -> Run:
    """Run a task and type an answer whenever its question appears, each at most once."""
    child = pexpect.spawn(
        str(INV),
        list(words),
        cwd=str(ROOT),
        env={**sandbox.environment(), "COLUMNS": "160"},
        encoding="utf-8",
        timeout=TASK_TIMEOUT_S,
        dimensions=(50, 160),
    )
    shown = ""
    for question, text in answers:
        asked = child.expect([re.escape(question), pexpect.EOF]) == 0
        shown += str(child.before) + (question if asked else "")
        if asked:
            child.sendline(text)
    child.expect(pexpect.EOF)
    shown += str(child.before)
    child.close()
    code = child.exitstatus if child.exitstatus is not None else -1
    return Run(code, _CONTROLS.sub("", shown).replace("\r", ""), 0.0)
