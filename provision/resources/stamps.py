"""Stamps: what a running service has loaded, remembered on its machine.

A run that is cut off between writing a configuration and reloading the service must be finished by
the next one, so this cannot live in the memory of a run. Writing a file that a service reads
removes the service's stamp first; a stamp is written only after the service took the files in.
"""

import shlex
from pathlib import PurePosixPath

LOADED = "/var/lib/quartet/loaded"
OURS = "/var/lib/quartet/ours"
KEPT = ".before-quartet"


def stamp_path(unit: str) -> str:
    """Where the stamp of a service stands."""
    return f"{LOADED}/{unit}"


def forget_loaded(unit: str) -> str:
    """The shell command that removes a service's stamp."""
    return shlex.join(["rm", "-f", "--", stamp_path(unit)])


def keep_first(path: str) -> list[str]:
    """Shell lines that keep a copy of a file, beside it, before it is replaced for the first time.

    The name doesn't end as the original's does, so no wildcard include takes the copy in.
    """
    return [
        f"path={shlex.quote(path)}",
        f'if [ -e "$path" ] && {keeps("path")}; then',
        f'  cp -pT -- "$path" "$path"{KEPT}.new && mv -fT -- "$path"{KEPT}.new "$path"{KEPT}',
        "fi",
    ]


def remember_our_folder(path: str) -> list[str]:
    """The same for a folder: its note is one too, since notes of what is in it go there."""
    return [f"(umask 022; mkdir -p -- {shlex.quote(f'{OURS}{path}')})"]


def was_ours(path: str) -> str:
    """The shell condition that a path is noted as ours."""
    return f"[ -e {shlex.quote(f'{OURS}{path}')} ]"


def keeps(variable: str) -> str:
    """The shell condition that the file, whose path is in the variable, was never ours or kept."""
    return f'[ ! -e {OURS}"${variable}" ] && [ ! -e "${variable}"{KEPT} ]'


def remember_ours(path: str) -> list[str]:
    """Shell lines that remember that a file is ours now, so that no copy of it is kept."""
    ours = f"{OURS}{path}"
    folder = shlex.quote(str(PurePosixPath(ours).parent))
    return [f"(umask 022; mkdir -p -- {folder}; touch -- {shlex.quote(ours)})"]


def remember_loaded(unit: str, digest: str) -> str:
    """The shell command that writes a service's stamp, atomically."""
    path = shlex.quote(stamp_path(unit))
    return (
        f"mkdir -p {LOADED} && printf %s {shlex.quote(digest)} > {path}.new"
        f" && mv -f {path}.new {path}"
    )
