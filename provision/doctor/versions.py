"""Version numbers as programs print them, made comparable."""

import re

Version = tuple[int, ...]


def parse_version(text: str) -> Version | None:
    """Return the first dotted number in a text: `7.0.20r163906` is (7, 0, 20)."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else None


def shown(version: Version) -> str:
    """Write a version as people do."""
    return ".".join(map(str, version))
