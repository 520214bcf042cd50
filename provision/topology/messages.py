"""Pydantic's errors in the words of somebody who edits topology.yml."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from provision.topology.problems import Finding, Location
from provision.topology.values import is_not

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EXAMPLES = {
    "name": "quartet",
    "domain": "foobar.com",
    "network": "192.168.56.0/24",
    "provider": "nspawn",
    "load_balancing": "active-active",
    "application": "{path: files/app, entry_point: board.wsgi:application}",
    "machines": "{lb-01: {address: 192.168.56.10, roles: [haproxy, dns]}, …}",
    "address": "192.168.56.11",
    "roles": "[web, primary]",
    "path": "files/app",
    "entry_point": "board.wsgi:application",
}


def findings_of(error: ValidationError, names: Sequence[str]) -> Iterator[Finding]:
    """Translate each error and find its place; `names` are the machines' in the file's order."""
    for detail in error.errors(include_url=False):
        # Without a server id there is no usable address to take it from: that is the mistake.
        if detail["loc"][-1] != "server_id" or detail["type"] != "missing":
            yield Finding(_in_file(detail["loc"], names), _message(detail))


def _in_file(location: Location, names: Sequence[str]) -> Location:
    match location:
        case ("machines", int(index), "name"):
            return ("machines", names[index])
        case ("machines", int(index), *rest):
            return ("machines", names[index], *rest)
        case _:
            return location


def _message(detail: "ErrorDetails") -> str:
    key, value = str(detail["loc"][-1]), detail["input"]
    match detail["type"]:
        case "missing":
            return f"is missing; write for example '{key}: {EXAMPLES[key]}'"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "tuple_type":
            return str(is_not(value, f"a list; write '{key}: [one, another]'"))
        case "dataclass_type":
            return str(is_not(value, "a block of keys; write 'key: value' lines below it"))
    return detail["msg"]
