"""A package's configuration file: as the package brought it, or changed since by somebody."""

import shlex
from collections.abc import Sequence

from provision.resources.facts import Fact, FactKind, Snapshot

_CHANGED = "changed"


def is_pristine(package: str, path: str) -> str:
    """The shell condition that a file is as its package brought it."""
    want = (
        f"$(dpkg-query -W -f='${{Conffiles}}\\n' {shlex.quote(package)} 2>/dev/null |"
        f" awk -v path={shlex.quote(path)} '$1 == path {{print $2 \"  \" path}}')"
    )
    return f'echo "{want}" | md5sum --check --status 2>/dev/null'


def changed_files(package: str, *patterns: str) -> str:
    """The shell text that prints which of these files are not as the package brought them."""
    conffiles = f"dpkg-query -W -f='${{Conffiles}}\\n' {shlex.quote(package)} 2>/dev/null"
    return "\n".join(
        [
            f"brought=$({conffiles} | awk '{{print $2 \"  \" $1}}')",
            f"for path in {' '.join(patterns)}; do",
            '    [ ! -f "$path" ] || echo "$brought" | grep -qxF -- "$(md5sum "$path")" ||',
            '        echo "$path"',
            "done",
        ]
    )


def _script(keys: Sequence[str]) -> str:
    pairs = (key.split(" ", 1) for key in keys)
    return "\n".join(
        f"if [ -f {shlex.quote(path)} ] && ! {is_pristine(package, path)};"
        f" then echo {shlex.quote(f'{package} {path}')}; fi"
        for package, path in pairs
    )


def _parse(output: str) -> dict[str, str]:
    return dict.fromkeys(output.splitlines(), _CHANGED)


_CONFFILES = FactKind("conffiles", _script, _parse)


def conffile(package: str, path: str) -> Fact:
    """Whether this file of a package is there and has been changed."""
    return Fact(_CONFFILES, f"{package} {path}")


def is_changed(snapshot: Snapshot, fact: Fact) -> bool:
    """Whether somebody has changed the file since its package brought it."""
    return bool(snapshot.get(fact) == _CHANGED)
