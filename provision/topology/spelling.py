"""Unknown keys in a topology file: each is reported, and a misspelt one read as what was meant.

Reading on with the right key keeps one slip from being reported a second time as a missing key,
and the value below it from going unchecked.
"""

from dataclasses import fields
from typing import Any

from provision.topology.document import Document
from provision.topology.models import (
    Application,
    Backups,
    DataTier,
    Machine,
    Nspawn,
    Ports,
    Ssh,
    SshDefaults,
    Topology,
    Vagrant,
)
from provision.topology.problems import Finding, Location
from provision.topology.values import closest, did_you_mean

SECTIONS: dict[str, type[Any]] = {
    "application": Application,
    "ports": Ports,
    "database": DataTier,
    "backups": Backups,
    "nspawn": Nspawn,
    "vagrant": Vagrant,
    "ssh": SshDefaults,
}
# Filled in by the loader, so not keys of the file: a machine's name is the key above its block.
NOT_IN_FILE: dict[type[Any], set[str]] = {Topology: {"path"}, Machine: {"name"}}


def respell(document: Document) -> None:
    """Replace the document's unknown keys by those that were meant; the rest of them go."""
    data = document.data = _respelled(document, document.data, Topology, ())
    for section, model in SECTIONS.items():
        if section in data:
            data[section] = _respelled(document, data[section], model, (section,))
    machines = data.get("machines")
    if isinstance(machines, dict):
        for name, machine in machines.items():
            machines[name] = _respelled(document, machine, Machine, ("machines", name))
            if isinstance(machines[name], dict) and "ssh" in machines[name]:
                place = ("machines", name, "ssh")
                machines[name]["ssh"] = _respelled(document, machines[name]["ssh"], Ssh, place)


def keys(model: type[Any]) -> list[str]:
    """List the keys that the file may have where this model is described."""
    hidden = NOT_IN_FILE.get(model, set())
    return [field.name for field in fields(model) if field.name not in hidden]


def _respelled(document: Document, data: Any, model: type[Any], place: Location) -> Any:
    if not isinstance(data, dict):
        return data
    known = keys(model)
    right = {key: value for key, value in data.items() if key in known}
    for key in [key for key in data if key not in known]:
        document.findings.append(Finding((*place, key), _message(key, known)))
        meant = closest(key, known)
        if meant and meant not in right:
            right[meant] = data[key]
            document.lines[*place, meant] = document.lines[*place, key]
    return right


def _message(key: str, known: list[str]) -> str:
    guess = did_you_mean(key, known) or f"; the keys here are {', '.join(known)}"
    return f"unknown key {key!r}{guess}"
