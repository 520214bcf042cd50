"""Checks of single values: each returns the value, or says in a ValueError what is right."""

import os
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

Check = Callable[[Any], Any]

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
KINDS: dict[type, str] = {dict: "a block of keys", list: "a list"}


def shown(value: object) -> str:
    """Show a value as it stands in the file; a block or a list only by its kind."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str) else str(value)
    return KINDS.get(type(value), text)


def is_not(value: object, right: str) -> ValueError:
    """Make the error to raise: what stands there, and what would be right."""
    if value is None or value == "":
        return ValueError(f"is empty; it has to be {right}")
    return ValueError(f"{shown(value)} is not {right}")


def matching(pattern: str, right: str) -> Check:
    """Make a check for text that `pattern` describes from its first to its last character."""

    def check(value: object) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII):
            return value
        raise is_not(value, right)

    return check


def whole_number(least: int, most: int) -> Check:
    """Make a check for a number from `least` to `most`; neither true nor '2' is one."""

    def check(value: object) -> int:
        if type(value) is int and least <= value <= most:
            return value
        raise is_not(value, f"a whole number from {least} to {most}")

    return check


def one_of(*allowed: str) -> Check:
    """Make a check for one of these words; another one is answered with the closest."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        right = f"one of {', '.join(allowed)}{did_you_mean(value, allowed)}"
        raise is_not(value, right)

    return check


def flag(value: object) -> bool:
    """Accept a yes or no, as YAML 1.2 writes them."""
    if isinstance(value, bool):
        return value
    raise is_not(value, "true or false")


def folder(value: object) -> Path:
    """Accept a path; whether it is there is another question."""
    if isinstance(value, Path) or (isinstance(value, str) and value and "\0" not in value):
        return Path(value)
    raise is_not(value, "the path of a folder, such as files/app")


def key_file(value: object) -> Path:
    """Accept the path of a private key; ~ is the home of whoever runs this."""
    if isinstance(value, str) and value and "\0" not in value:
        path = os.path.expanduser(value)  # noqa: PTH111 Path's own raises for somebody's who isn't there
        if not path.startswith("~"):
            return Path(path)
    raise is_not(value, "the path of a private key, such as ~/.ssh/id_ed25519")


def folder_within(value: object) -> str:
    """Accept a relative path that stays below the folder it starts from."""
    if isinstance(value, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", value, re.ASCII):
        parts = Path(value).parts
        if parts and ".." not in parts:
            return value
    raise is_not(value, "a folder inside the application's, relative to it, such as static")


def closest(word: object, allowed: Iterable[str]) -> str | None:
    """Guess which allowed word this one was meant to be."""
    found = get_close_matches(str(word).lower(), list(allowed), n=1)
    return found[0] if found else None


def did_you_mean(word: object, allowed: Iterable[str]) -> str:
    """Return the tail of a message, or nothing when no allowed word is close."""
    guess = closest(word, allowed)
    return f"; did you mean '{guess}'?" if guess else ""


entry_point = matching(
    rf"{NAME}(\.{NAME})*:{NAME}", "MODULE:CALLABLE, such as board.wsgi:application"
)
url_path = matching(
    r"/[\w.~%/?&=+:@-]*", "a path on the web server: it starts with / and has no spaces"
)
argument = matching(r"[^\0]+", "text; write each argument as a word, in quotes if it is a number")
package = matching(
    r"[a-z0-9][a-z0-9+.-]+", "a Debian package name: lower case, such as python3-jinja2"
)
lab_name = matching(
    r"[a-z][a-z0-9-]{0,9}",
    "a lab name: a letter, then up to 9 of a-z, 0-9 and - (network interfaces are named after it)",
)
suite = matching(r"[a-z][a-z0-9.-]*", "a Debian or Ubuntu suite, such as noble")
mirror = matching(r"(https?|file)://[^\s'\"]+", "a package mirror's URL, starting with http://")
user = matching(r"[a-z_][a-z0-9_.-]*[$]?", "a user's name, such as deploy")
ssh_host = matching(r"[\w][\w.:-]*", "a host name, an address, or a name in ~/.ssh/config")
jump = matching(
    r"([\w.-]+@)?[\w][\w.-]*(:[0-9]+)?(,([\w.-]+@)?[\w][\w.-]*(:[0-9]+)?)*",
    "[USER@]HOST[:PORT] of the jump host, or several with commas, as for ssh -J",
)
box = matching(r"[\w.-]+(/[\w.-]+)?", "a Vagrant box, such as bento/ubuntu-24.04")
box_version = matching(r"[\w.<>=~!, -]+", "a version in quotes, such as '202508.03.0'")
time_of_day = matching(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a time of day in quotes, such as '03:15'")
