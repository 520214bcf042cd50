"""What has to be on the disk for the application that the file describes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provision.topology.problems import Finding
from provision.topology.values import folder, folder_within


def missing_folders(application: Any, base: Path) -> Iterator[Finding]:
    """Find the application's folders that aren't there; its path starts from `base`."""
    try:
        root = base / folder(application["path"])
    except (TypeError, KeyError, ValueError):
        return
    if root.is_dir():
        yield from _static(application.get("static"), root)
        return
    state = "is no folder" if root.exists() else "does not exist"
    message = f"{root} {state}; name the application's folder, relative to the topology file's"
    yield Finding(("application", "path"), message)


def _static(value: object, root: Path) -> Iterator[Finding]:
    try:
        found = root / folder_within(value)
    except ValueError:
        return
    place = ("application", "static")
    if not found.is_dir():
        message = f"{found} is no folder; make it, or leave static out if there are no such files"
        yield Finding(place, message)
    elif not found.resolve().is_relative_to(root.resolve()):
        yield Finding(place, f"{found} links to a place outside {root}; copy its files there")
