"""Files, directories and links, written atomically and checked by the program that reads them."""

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from provision.resources.base import CheckFailedError, Host, Resource, State
from provision.resources.facts import Fact, FactKind, Snapshot
from provision.resources.stamps import (
    forget_loaded,
    keep_first,
    remember_our_folder,
    remember_ours,
)

NEW = "{new}"
REJECTED = "quartet: rejected"
_FIELDS = 6


def _script(keys: Sequence[str]) -> str:
    paths = shlex.join(keys)
    return (
        f"sha256sum --zero -- {paths} 2>/dev/null\n"
        "printf '\\0'\n"
        f"find {paths} -maxdepth 0 -printf '%p\\0%y\\0%u\\0%g\\0%m\\0%l\\0' 2>/dev/null"
    )


def _parse(output: str) -> dict[str, dict[str, str]]:
    sums, _, listing = f"\0{output}".partition("\0\0")
    digests = {line[66:]: line[:64] for line in sums.split("\0")}  # "DIGEST  PATH"
    states = {}
    for path, kind, owner, group, mode, target in batched_fields(listing.split("\0"), _FIELDS):
        states[path] = {
            "type": {"f": "file", "d": "directory", "l": "link"}.get(kind, kind),
            "owner": f"{owner}:{group}",
            "mode": mode.zfill(4),
            "target": target,
        }
        if path in digests:
            states[path]["sha256"] = digests[path]
    return states


def batched_fields(fields: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Rows of so many fields each; what is left over at the end is no row."""
    for start in range(0, len(fields) - size + 1, size):
        yield fields[start : start + size]


FILES = FactKind("files", _script, _parse)


@dataclass(frozen=True)
class PathResource(Resource):
    """What files, directories and links share: a path whose state is read with `find`."""

    path: str

    def facts(self) -> tuple[Fact, ...]:
        return (Fact(FILES, self.path),)

    def actual(self, snapshot: Snapshot) -> State:
        return snapshot.get(Fact(FILES, self.path)) or {"type": "absent"}

    def effects(self, changes: Mapping[str, str]) -> list[str]:
        """Nothing of what is new, and of content only that the diff shows it."""
        if changes.get("type") == "absent":
            return []
        return super().effects({key: changes[key] for key in changes if key != "sha256"})


@dataclass(frozen=True)
class File(PathResource):
    """A regular file with this content.

    `check` is a command that must accept the new file, named `{new}` in it, before it goes live.
    `check_in_place` is for programs that can only check their whole configuration: the new file is
    put in place, and the old one is put back if the program rejects it. `secrets` are values in the
    content that no diff may show; with `secret` nothing of the content is shown.
    """

    content: str = field(repr=False)
    owner: str = "root:root"
    mode: str = "0644"
    check: tuple[str, ...] = ()
    check_in_place: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    secret: bool = False
    loaded_by: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"file {self.path}"

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    def desired(self) -> State:
        return {"type": "file", "sha256": self.digest, "owner": self.owner, "mode": self.mode}

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        output = host.run(self._script(), stdin=self.content.encode())
        if output.startswith(REJECTED):
            program = shlex.join(self.check or self.check_in_place)
            reason = output.removeprefix(REJECTED).strip()
            raise CheckFailedError(
                host.name,
                f"`{program}` rejected the new {self.path}; the old one is still live\n{reason}",
                f"mend the template of {self.path} under files/ and run `./lab provision` again",
            )

    def _script(self) -> str:
        path = PurePosixPath(self.path)
        new = str(path.parent / f".{path.name}.quartet-new")
        return "\n".join(
            [
                "set -eu",
                "umask 077",
                f"new={shlex.quote(new)} live={shlex.quote(self.path)}",
                "trap 'rm -f -- \"$new\"' EXIT",
                '(umask 022; mkdir -p -- "$(dirname -- "$live")")',
                'cat > "$new"',
                f'chown {self.owner} "$new" && chmod {self.mode} "$new"',
                *self._check_new(new),
                *keep_first(self.path),
                # Before the new one is live: cut off in between, it must not seem somebody else's.
                *remember_ours(self.path),
                *[forget_loaded(unit) for unit in self.loaded_by],
                *(self._swap_checked() if self.check_in_place else ['mv -fT -- "$new" "$live"']),
            ]
        )

    def _check_new(self, new: str) -> list[str]:
        if not self.check:
            return []
        command = shlex.join(part.replace(NEW, new) for part in self.check)
        return [f'if ! log=$({command} 2>&1); then echo {shlex.quote(REJECTED)} "$log"; exit 0; fi']

    def _swap_checked(self) -> list[str]:
        return [
            "old=$(mktemp)",
            'if [ -e "$live" ]; then cp -p -- "$live" "$old"; else rm -f -- "$old"; fi',
            'mv -fT -- "$new" "$live"',
            f"if ! log=$({shlex.join(self.check_in_place)} 2>&1); then",
            '  if [ -e "$old" ]; then mv -fT -- "$old" "$live"; else rm -f -- "$live"; fi',
            f'  echo {shlex.quote(REJECTED)} "$log"; exit 0',
            "fi",
            'rm -f -- "$old"',
        ]


@dataclass(frozen=True)
class Directory(PathResource):
    """A directory with this owner and mode."""

    owner: str = "root:root"
    mode: str = "0755"

    @property
    def id(self) -> str:
        return f"directory {self.path}"

    def desired(self) -> State:
        return {"type": "directory", "owner": self.owner, "mode": self.mode}

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        owner, _, group = self.owner.partition(":")
        command = ["install", "-d", "-o", owner, "-g", group, "-m", self.mode, "--", self.path]
        # Noted first: cut off in between, the next run must not take it for somebody else's.
        host.run("\n".join(["set -eu", *remember_our_folder(self.path), shlex.join(command)]))


@dataclass(frozen=True)
class Link(PathResource):
    """A symbolic link to this target, switched atomically."""

    target: str
    requires: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        return f"link {self.path}"

    def desired(self) -> State:
        return {"type": "link", "target": self.target}

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        new = f"{self.path}.quartet-new"
        link = shlex.join(["ln", "-sfn", "--", self.target, new])
        host.run(f"set -eu\n{link}\n{shlex.join(['mv', '-fT', '--', new, self.path])}")
