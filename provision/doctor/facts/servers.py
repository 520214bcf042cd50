"""What of this host reaches servers that exist already: ssh, its agent, key files."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.doctor.facts.asking import ask

NO_AGENT = 2  # ssh-add(1): 0 lists keys, 1 says that there are none


@dataclass(frozen=True)
class KeyFile:
    """A private key's file; `mode` is None where there is no such file or we can't look at it."""

    path: Path
    mode: int | None = None
    is_readable: bool = True


@dataclass(frozen=True)
class SshFacts:
    """The client and the agent; `agent_keys` is None where no agent answers."""

    has_client: bool
    agent_keys: int | None
    keys: tuple[KeyFile, ...]


def ssh_facts(keys: Sequence[Path]) -> SshFacts:
    """Look at the client, ask the agent, and look at each file once."""
    found = tuple(key_file(path.expanduser()) for path in dict.fromkeys(keys))
    return SshFacts(shutil.which("ssh") is not None, _agent_keys(), found)


def key_file(path: Path) -> KeyFile:
    """Look at one file."""
    try:
        return KeyFile(path, path.stat().st_mode & 0o777, os.access(path, os.R_OK))
    except OSError:
        return KeyFile(path)


def _agent_keys() -> int | None:
    answer = ask(["ssh-add", "-l"])
    if answer.status >= NO_AGENT:
        return None
    return len(answer.out.splitlines()) if answer.succeeded else 0
