"""Which package archive machines are made from: read off the host's own apt, or the topology.

No archive is named here; `apt-get indextargets` (apt-get(8)) tells what the host itself uses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.command import run

DEFAULT_SUITES = {"Debian": "sid", "Ubuntu": "noble"}  # the ones that have MySQL itself
FIELDS = "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(SUITE)|$(COMPONENT)"
LIST_SCHEME = "mirror+file:"


@dataclass(frozen=True)
class HostArchive:
    """The host's own main archive."""

    uri: str
    origin: str

    @property
    def default_suite(self) -> str:
        """The release to build machines from when the topology names none."""
        return DEFAULT_SUITES[self.origin]


def host_archive(say: Callable[[str], None]) -> HostArchive:
    """Find the host's archive, after an `apt-get update` if apt knows of none yet."""
    found = find_archive(_index_targets())
    if found is None:
        say("apt on this host has no package lists yet: running apt-get update")
        run(["apt-get", "update"])
        found = find_archive(_index_targets())
    if found is None:
        raise QuartetError(
            "this host's apt sources",
            "none of them is a Debian or Ubuntu archive",
            "set nspawn.mirror and nspawn.suite in topology.yml",
        )
    return found


def find_archive(index_targets: str) -> HostArchive | None:
    """Pick the main archive from what apt lists, leaving security and third parties aside."""
    for line in index_targets.splitlines():
        uri, origin, label, suite, component = line.split("|")
        is_main = component == "main" and not suite.endswith("-security")
        if is_main and origin in DEFAULT_SUITES and label == origin:
            return HostArchive(_resolve(uri).rstrip("/"), origin)
    return None


def apt_setting(name: str) -> str:
    """Return one setting of the host's apt, empty where it has none."""
    return run(["apt-config", "shell", "VALUE", name]).strip().removeprefix("VALUE=").strip("'")


def _index_targets() -> str:
    return run(["apt-get", "indextargets", "--format", FIELDS, "Created-By: Packages"])


def _resolve(uri: str) -> str:
    """Follow apt's list of mirrors (apt-transport-mirror(1)), as cloud images have it."""
    if not uri.startswith(LIST_SCHEME):
        return uri
    lines = Path(uri.removeprefix(LIST_SCHEME).rstrip("/")).read_text().splitlines()
    return next(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))
