"""Stamps: what a running service has loaded, remembered on its machine.

A run that is cut off between writing a configuration and reloading the service must be finished by
the next one, so this cannot live in the memory of a run. Writing a file that a service reads
removes the service's stamp first; a stamp is written only after the service took the files in.
"""

import shlex

LOADED = "/var/lib/quartet/loaded"


def stamp_path(unit: str) -> str:
    """Where the stamp of a service stands."""
    return f"{LOADED}/{unit}"


def forget_loaded(unit: str) -> str:
    """The shell command that removes a service's stamp."""
    return shlex.join(["rm", "-f", "--", stamp_path(unit)])


def remember_loaded(unit: str, digest: str) -> str:
    """The shell command that writes a service's stamp, atomically."""
    path = shlex.quote(stamp_path(unit))
    return (
        f"mkdir -p {LOADED} && printf %s {shlex.quote(digest)} > {path}.new"
        f" && mv -f {path}.new {path}"
    )
