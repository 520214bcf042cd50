"""Read a YAML file into plain data, and keep the line on which each part stands.

There is one way through, by YAML's tree of nodes: it knows the lines and shows every duplicate
key, and without a C parser (ruamel.yaml ships none) building data from it costs as much as loading.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from provision.topology.problems import Finding, Location
from provision.topology.source import refusal

DEEPEST = 16


@dataclass
class Document:
    """A YAML mapping: its data, each part's line, and the keys that it holds twice."""

    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read(path: Path, text: str) -> Document:
    """Read the mapping in the file's text; raises TopologyError when there is none to be had."""
    try:
        return _document(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise refusal(path, f"not YAML: {_said(error)}", mark and mark.line + 1) from error
    except (YAMLError, ValueError) as error:
        raise refusal(path, f"not YAML: {str(error).splitlines()[0]}") from error


def _said(error: MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)


def _document(text: str) -> Document:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST
    root = yaml.compose(text)
    if root is None:
        raise YAMLError("it is empty; start from the topology.yml that came with the project")
    if not isinstance(root, MappingNode):
        raise _unfit(root, "expected 'key: value' lines, such as 'name: quartet'")
    walk = _Walk(yaml)
    walk.document.data = walk.mapping(root, ())
    return walk.document


def _unfit(node: Node, what: str) -> MarkedYAMLError:
    return MarkedYAMLError(problem=what, problem_mark=node.start_mark)


class _Walk:
    """Turns nodes into data and notes lines and duplicate keys on the way."""

    def __init__(self, yaml: YAML) -> None:
        self.yaml = yaml
        self.document = Document()
        self.seen: set[int] = set()

    def value(self, node: Node, location: Location) -> Any:
        self._refuse_alias(node)
        self.document.lines.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self.mapping(node, location)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*location, n)) for n, item in enumerate(node.value)]
        return self.yaml.constructor.construct_object(node)

    def mapping(self, node: MappingNode, location: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise _unfit(key, "a key has to be one word")
            place = (*location, key.value)
            if key.value in data:
                self._note_duplicate(key, place)
                continue
            self.document.lines[place] = key.start_mark.line + 1
            data[key.value] = self.value(value, place)
        return data

    def _note_duplicate(self, key: ScalarNode, place: Location) -> None:
        first, second = self.document.lines[place], key.start_mark.line + 1
        message = f"stands on line {first} and again on line {second}; rename or remove one"
        self.document.findings.append(Finding(place, message, second))

    def _refuse_alias(self, node: Node) -> None:
        # An alias may contain itself, and Ruby's reader in the Vagrantfile refuses it anyway.
        if id(node) in self.seen:
            raise _unfit(node, "an alias (*name) repeats this; write it out in each place")
        self.seen.add(id(node))
