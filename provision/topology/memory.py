"""The validated topology of last time, beside the keys of the system that it describes.

It is JSON and no pickle, since the folder may be somebody else's: reading it can run nothing.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from provision.topology.models import Topology, state_folder_of

FILE = "topology.json"


def recall(path: Path, text: str) -> Topology | None:
    """The topology that this text was validated as by this code; None where it wasn't yet."""
    try:
        stored = json.loads((state_folder_of(path) / FILE).read_text(encoding="utf-8"))
        is_this = stored["seal"] == _seal(path, text, stored["topology"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return _revived(Topology, stored["topology"]) if is_this else None


def remember(topology: Topology, text: str) -> None:
    """Keep it for the next command, where the system has a folder already."""
    if re.search(r"~\w", text):
        return  # somebody else's home may move
    facts = json.loads(json.dumps(asdict(topology), default=str))
    stored = {"seal": _seal(topology.path, text, facts), "topology": facts}
    folder = state_folder_of(topology.path)
    part = folder / f"{FILE}.new"
    with suppress(OSError):
        part.touch(mode=0o600)
        part.write_text(json.dumps(stored), encoding="utf-8")
        part.replace(folder / FILE)


def _seal(path: Path, text: str, facts: Mapping[str, Any]) -> str:
    """Tell a whole result of this file, at this place, by this code from any other."""
    code = sorted(Path(__file__).parent.glob("*.py"))
    seen = [(each.name, each.stat().st_mtime_ns, each.stat().st_size) for each in code]
    home = os.path.expanduser("~")  # noqa: PTH111 Path's own raises where there is none
    return sha256(repr((sys.version, home, str(path), seen, text, facts)).encode()).hexdigest()


def _revived(kind: Any, value: Any) -> Any:
    """Make a value of this type of what JSON has for it."""
    if value is None or get_origin(kind) is Literal:
        return value
    if get_origin(kind) is Annotated:
        return _revived(get_args(kind)[0], value)
    if get_origin(kind) in (Union, UnionType):
        [only] = [each for each in get_args(kind) if each is not NoneType]
        return _revived(only, value)
    if get_origin(kind) is tuple:
        return tuple(_revived(get_args(kind)[0], each) for each in value)
    if is_dataclass(kind):
        facts = {each.name: _revived(each.type, value[each.name]) for each in fields(kind)}
        return kind(**facts)  # type: ignore[operator]
    return kind(value)
