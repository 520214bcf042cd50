"""A folder with all its content, unpacked aside and put in place in one step."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from provision.resources.base import Host, State
from provision.resources.file import PathResource

UNPACK_TIMEOUT_S = 300


@dataclass(frozen=True)
class Tree(PathResource):
    """A folder that is either there with all its files or not at all; its name tells its content.

    `archive` is a tar file. Of its siblings, older trees, the `keep` newest stay.
    """

    archive: bytes = field(repr=False)
    keep: int = 5

    @property
    def id(self) -> str:
        return f"release {self.path}"

    def desired(self) -> State:
        return {"type": "directory"}

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        path, new = shlex.quote(self.path), shlex.quote(f"{self.path}.new")
        script = [
            "set -eu",
            "umask 022",
            f"rm -rf -- {new} && mkdir -- {new} && chmod 755 {new}",
            f"tar --extract --no-same-owner --directory={new}",
            f"sync -f {new}",
            f"mv -T -- {new} {path}",
            f"current=$(readlink -f -- {path}/../../current || :)",
            f"for old in $(ls -1dt {path}/../* | tail -n +{self.keep + 1}); do",
            '    [ "$(readlink -f -- "$old")" = "$current" ] || rm -rf -- "$old"',
            "done",
        ]
        host.run("\n".join(script), stdin=self.archive, timeout_s=UNPACK_TIMEOUT_S)
