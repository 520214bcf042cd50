"""What else Nginx serves on a machine: the package's own site, and those of the machine's owner."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provision.resources.base import Host, Resource, State
from provision.resources.facts import Fact, FactKind, Snapshot
from provision.resources.stamps import forget_loaded

ROOT = "/etc/nginx"
ENABLED = f"{ROOT}/sites-enabled/default"
AVAILABLE = f"{ROOT}/sites-available/default"
DEFAULT_KEY, LISTENS_KEY = "default", "listens"
OWN = "the package's own"
_LISTEN = re.compile(r"(?:^|[\s;{])listen\s+([^;\s]+)")
_IS_PACKAGES_OWN = (
    f"want=$(dpkg-query -W -f='${{Conffiles}}\\n' nginx-common 2>/dev/null |"
    f" awk '$1 == \"{AVAILABLE}\" {{print $2}}')\n"
    f'[ -n "$want" ] && [ "$(readlink -f {ENABLED})" = {AVAILABLE} ] &&'
    f' echo "$want  {AVAILABLE}" | md5sum --check --status 2>/dev/null'
)


def _script(_: Sequence[str]) -> str:
    return (
        f"grep -HsE '^[^#]*(^|[[:space:];{{])listen[[:space:]]' {ROOT}/conf.d/*.conf"
        f" {ROOT}/sites-enabled/* 2>/dev/null\n"
        f"if [ -e {ENABLED} ]; then {_IS_PACKAGES_OWN}"
        ' && echo "default: the package\'s own" || echo "default: changed"; fi'
    )


def _parse(output: str) -> dict[str, Any]:
    """Whose the default site is, and what each file listens on."""
    default = "absent"
    listens: dict[str, list[str]] = {}
    for line in output.splitlines():
        name, _, rest = line.partition(":")
        if name == "default":
            default = rest.strip()
        else:
            listens.setdefault(name, []).extend(_LISTEN.findall(rest.partition("#")[0]))
    return {DEFAULT_KEY: default, LISTENS_KEY: listens}


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
        host.run("\n".join(["set -eu", *forget, f"if {_IS_PACKAGES_OWN}; then {remove}; fi"]))
