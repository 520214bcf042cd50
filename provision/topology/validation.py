"""Validate a topology file: to a Topology, or to the list of all that is wrong with it."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from provision.topology.document import read
from provision.topology.messages import findings_of
from provision.topology.models import BOX, Topology
from provision.topology.problems import Finding, TopologyError, located
from provision.topology.rules import violations
from provision.topology.sketch import sketches
from provision.topology.spelling import respell


def validated(path: Path, text: str) -> Topology:
    """Make a Topology of the text of the file at `path`.

    Raises TopologyError with every mistake in it.
    """
    document = read(path, text)
    respell(document)
    findings = [*document.findings, *violations(document.data, path.parent)]
    topology = _modelled(document.data, path, findings)
    if findings or topology is None:
        raise TopologyError(path, located(findings, document.lines))
    return topology


def _modelled(data: dict[str, Any], path: Path, findings: list[Finding]) -> Topology | None:
    try:
        return TypeAdapter(Topology).validate_python(_completed(data, path))
    except ValidationError as error:
        findings.extend(findings_of(error, list(_machines(data))))
        return None


def _completed(data: dict[str, Any], path: Path) -> dict[str, Any]:
    """Add to the file's data what it may leave out and the models ask for."""
    # A section whose keys are all commented out reads as null, and means that there is none.
    sections = {"ports", "nspawn", "vagrant", "ssh", "database", "backups"}
    whole = {key: value for key, value in data.items() if key not in sections or value is not None}
    whole["path"] = path
    if isinstance(data.get("application"), dict):
        whole["application"] = _anchored(data["application"], path.parent)
    vagrant = data.get("vagrant")
    if isinstance(vagrant, dict) and vagrant.get("box", BOX) != BOX:
        whole["vagrant"] = {"box_version": None, **vagrant}
    if "machines" in data:
        whole["machines"] = [_keyed(each, path.parent) for each in _listed(data)]
    return dict(_keyed(whole, path.parent))


def _anchored(application: dict[str, Any], base: Path) -> dict[str, Any]:
    place = application.get("path")
    if isinstance(place, str) and place:
        return application | {"path": base / place}
    return application


def _keyed(block: Any, base: Path) -> Any:
    """Let the key of a login start from the file's folder, as all paths in it do."""
    match block:
        # One in a home, or in that of nobody, is for the model to read.
        case {"ssh": {"key": str(key)} as ssh} if key and "\0" not in key and key[0] != "~":
            return {**block, "ssh": {**ssh, "key": str(base / key)}}
    return block


def _listed(data: dict[str, Any]) -> list[Any]:
    server_ids = {sketch.name: sketch.server_id for sketch in sketches(data)}
    return [_named(name, block, server_ids) for name, block in _machines(data).items()]


def _named(name: str, block: Any, server_ids: dict[str, int | None]) -> Any:
    if not isinstance(block, dict):
        return block
    derived = {"server_id": server_ids[name]} if server_ids[name] else {}
    return {"name": name} | derived | block


def _machines(data: dict[str, Any]) -> dict[str, Any]:
    machines = data.get("machines")
    return machines if isinstance(machines, dict) else {}
