"""What else Nginx serves on a machine: the package's own site, and those of the machine's owner."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provision.resources.base import Host, Resource, State
from provision.resources.conffile import is_pristine
from provision.resources.facts import Fact, FactKind, Snapshot
from provision.resources.stamps import forget_loaded, was_ours
from provision.site_paths import NGINX_SITE

ROOT = "/etc/nginx"
PAGES = "/var/www/html"
ENABLED = f"{ROOT}/sites-enabled/default"
AVAILABLE = f"{ROOT}/sites-available/default"
DEFAULT_KEY, LISTENS_KEY = "default", "listens"
OWN = "the package's own"
# As `nginx -T` begins each file; a comment may begin with the same words.
_FILE = re.compile(r"^# configuration file (/.*):\n", re.MULTILINE)
_WORD = re.compile(
    r"#[^\n]*|\"(?:\\[\s\S]|[^\"\\])*\"|'(?:\\[\s\S]|[^'\\])*'|[{};]|(?:\\[\s\S]|[^\s{};\\])+"
)


def _is_packages_own() -> str:
    """The shell condition that nobody uses the default site: neither its file nor its pages."""
    return (
        f'[ "$(readlink -f {ENABLED})" = {AVAILABLE} ] && {is_pristine("nginx-common", AVAILABLE)}'
        f' && [ -z "$(ls -A {PAGES} 2>/dev/null | grep -v "^index.nginx-debian.html$")" ]'
    )


def _script(_: Sequence[str]) -> str:
    """Sites are of interest until ours is among them; from then on the owner knows of it."""
    return (
        f"if [ -e {ENABLED} ]; then {_is_packages_own()}"
        f' && echo "default: {OWN}" || echo "default: changed"; fi\n'
        f"{was_ours(NGINX_SITE)} || nginx -T 2>/dev/null || :"
    )


def _parse(output: str) -> dict[str, Any]:
    """Whose the default site is, and what each file listens on."""
    head, *files = _FILE.split(output)
    default = head.partition("default: ")[2].split("\n")[0] or "absent"
    listens: dict[str, list[str]] = {}
    for name, text in zip(files[::2], files[1::2], strict=True):
        listens.setdefault(name, []).extend(_listens(text))
    return {DEFAULT_KEY: default, LISTENS_KEY: {name: at for name, at in listens.items() if at}}


def _listens(text: str) -> Iterator[str]:
    """What each server block listens on; without a word on it, Nginx takes port 80."""
    depth, inside, found = 0, -1, False
    directive: list[str] = []
    for word in _WORD.findall(text):
        if word == "{":
            depth += 1
            if directive == ["server"]:
                inside, found = depth, False
        elif word == "}":
            if depth == inside and not found:
                yield "80"
            inside, depth = (-1 if depth == inside else inside), depth - 1
        elif word == ";" and depth == inside and directive[:1] == ["listen"]:
            found = True
            yield directive[1].strip("\"'")
        elif word != ";":
            directive += [] if word.startswith("#") else [word]
            continue
        directive = []


SITES = FactKind("sites", _script, _parse)
DEFAULT = Fact(SITES, DEFAULT_KEY)
LISTENS = Fact(SITES, LISTENS_KEY)


def site_listens(snapshot: Snapshot) -> Mapping[str, Sequence[str]]:
    """What each enabled site's file listens on, as Nginx's `listen` has it.

    The package's own default site is left out, since it is going to be switched off.
    """
    listens: dict[str, Sequence[str]] = dict(snapshot.get(LISTENS) or {})
    if snapshot.get(DEFAULT) == OWN:
        listens.pop(ENABLED, None)
    return listens


@dataclass(frozen=True)
class DefaultSite(Resource):
    """Nginx's default site as the package brings it: not served. A changed one is its owner's."""

    loaded_by: tuple[str, ...] = ()
    triggers = ("packages",)

    @property
    def id(self) -> str:
        return "default site"

    def facts(self) -> tuple[Fact, ...]:
        return (DEFAULT,)

    def desired(self) -> State:
        return {OWN: "not served"}

    def actual(self, snapshot: Snapshot) -> State:
        served = snapshot.get(DEFAULT) == OWN
        return {OWN: "served" if served else "not served"}

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        # Only the link goes; what it points to stays in sites-available.
        remove = shlex.join(["rm", "-f", "--", ENABLED])
        forget = [forget_loaded(unit) for unit in self.loaded_by]
        host.run("\n".join(["set -eu", *forget, f"if {_is_packages_own()}; then {remove}; fi"]))
