"""What is remembered of Vagrant's machines: how to log in, and the host key of each.

Asking Vagrant takes seconds, so it is asked again only when the files have changed that it keeps of
each machine. Making, destroying and booting a machine changes them, whoever does it: `id` comes and
goes with the machine, `private_key` is replaced at its first boot, and `synced_folders` is written
at every boot, even where no folder is synced. Halting changes none.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from provision.lab.base import Endpoint


@dataclass(frozen=True)
class Remembered:
    """One machine: Vagrant's id of it, its host key, and how to log in while it runs."""

    id: str
    host_key: str
    endpoint: Endpoint | None = None


@dataclass(frozen=True)
class Memory:
    """Machines by name, and what Vagrant's files looked like before it was asked for them."""

    fingerprint: str = ""
    machines: Mapping[str, Remembered] = field(default_factory=dict)

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """The machines that ran when Vagrant was asked."""
        return {name: each.endpoint for name, each in self.machines.items() if each.endpoint}

    def host_key(self, name: str, machine_id: str) -> str:
        """Return the host key of this very machine; a machine made anew has another id."""
        known = self.machines.get(name)
        return known.host_key if known and known.id == machine_id else ""

    def stale(self) -> "Memory":
        """Ask Vagrant again next time; host keys are kept."""
        return replace(self, fingerprint="")

    def without(self, names: Iterable[str]) -> "Memory":
        """Forget machines that are gone."""
        gone = set(names)
        return Memory("", {n: each for n, each in self.machines.items() if n not in gone})


def read_memory(path: Path) -> Memory:
    """Return what was remembered; nothing where the file is missing or of another make."""
    try:
        said = json.loads(path.read_text())
        machines = {name: _remembered(**each) for name, each in said["machines"].items()}
        return Memory(said["fingerprint"], machines)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Memory()


def write_memory(path: Path, memory: Memory) -> None:
    """Remember, in one go."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(asdict(memory), default=str, indent=1))
    draft.replace(path)


def machine_ids(folder: Path, provider: str) -> dict[str, str]:
    """Read which machines Vagrant has made, from the folder `.vagrant`: name -> id."""
    return {
        path.parents[1].name: path.read_text().strip()
        for path in sorted(folder.glob(f"machines/*/{provider}/id"))
    }


def fingerprint_of(folder: Path, provider: str) -> str:
    """Sum up what Vagrant has noted of its machines: a few files each, read in a millisecond."""
    files = [path for path in folder.glob(f"machines/*/{provider}/*") if path.is_file()]
    facts = [(str(path.absolute()), path.stat().st_mtime_ns) for path in sorted(files)]
    ids = sorted(machine_ids(folder, provider).items())
    return hashlib.sha256(repr((provider, facts, ids)).encode()).hexdigest()


def _remembered(id: str, host_key: str, endpoint: dict[str, Any] | None) -> Remembered:  # noqa: A002
    return Remembered(id, host_key, _endpoint(**endpoint) if endpoint else None)


def _endpoint(keys: list[str], **rest: Any) -> Endpoint:
    return Endpoint(keys=tuple(map(Path, keys)), **rest)
