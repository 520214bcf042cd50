"""Debian packages, installed in one transaction a machine; none is removed, or upgraded by name."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provision.errors import QuartetError
from provision.resources.base import Host, Resource, State
from provision.resources.facts import Fact, FactKind, Snapshot

INSTALL_TIMEOUT_S = 1800
BROKEN = "!broken"
REMOVES = "quartet: would remove"
# dpkg-query(1), db:Status-Abbrev: the second letter is the state, the third an error.
_HALF_WAY = "HUFWt"

# Services are started by their Service resource, with our configuration, not by the package with
# its own, and needrestart's hook restarts none: the plan has not announced it. The policy stands in
# /run: a power cut leaves a dangling link, which counts as none.
_INSTALL = """
set -eu
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
mkdir -p /run/quartet
log=/run/quartet/apt.log
# To a file, not to us: if we are cut off, a closed pipe must not stop dpkg half way.
logged() {{ "$@" > "$log" 2>&1 || {{ tail -n 30 "$log" >&2; return 1; }}; }}
apt() {{
    logged apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confdef \\
        -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 -q -y --no-remove "$@"
}}
# Lists may be old or incomplete. Whether one can do without a package is for its owner to say.
carefully() {{
    apt "$@" || {{ apt update && apt "$@"; }} && return
    removed=$(apt-get -s "$@" 2>/dev/null | sed -n 's/^Remv \\([^ ]*\\).*/\\1/p')
    [ -n "$removed" ] || return 1
    echo '{removes}' $removed
    exit
}}
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ] || [ "$(readlink "$policy")" = /run/quartet/policy-rc.d ]; then
    trap 'rm -f "$policy" /run/quartet/policy-rc.d' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > /run/quartet/policy-rc.d
    chmod 755 /run/quartet/policy-rc.d
    ln -sfn /run/quartet/policy-rc.d "$policy"
fi
# One that lacks a dependency, as after a power cut, gets it from -f; that one fails where it can't.
logged dpkg --force-confdef --force-confold --configure -a || :
# By time of change: the time of modification is the mirror's.
fresh=$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -cmin -1440 | head -n 1)
[ -n "$fresh" ] || apt update
carefully -f install
carefully install --no-install-recommends --no-upgrade -- {packages}
"""


def _script(_: Sequence[str]) -> str:
    return "dpkg-query -W -f '${Package} ${db:Status-Abbrev}\\n' 2>/dev/null"


def _parse(output: str) -> dict[str, str]:
    """Every package's state, and under BROKEN those that an installation left half way."""
    states = dict(line.split(maxsplit=1) for line in output.splitlines() if " " in line)
    broken = sorted(name for name, state in states.items() if _is_half_way(state))
    return {**states, BROKEN: " ".join(broken)}


def _is_half_way(state: str) -> bool:
    return state[1:2] in _HALF_WAY or state[2:3] == "R"


PACKAGES = FactKind("packages", _script, _parse)


@dataclass(frozen=True)
class Packages(Resource):
    """Packages that are installed, whatever version the distribution has."""

    names: tuple[str, ...]
    blocks_machine = True

    @property
    def id(self) -> str:
        return "packages"

    def facts(self) -> tuple[Fact, ...]:
        return tuple(Fact(PACKAGES, name) for name in (*self.names, BROKEN))

    def desired(self) -> State:
        return {"half installed": "none"} | dict.fromkeys(self.names, "installed")

    def actual(self, snapshot: Snapshot) -> State:
        state = {name: self._state(snapshot.get(Fact(PACKAGES, name))) for name in self.names}
        return {"half installed": snapshot.get(Fact(PACKAGES, BROKEN)) or "none"} | state

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        missing = [name for name in self.names if name in changes]
        script = _INSTALL.format(packages=shlex.join(missing), removes=REMOVES)
        output = host.run(script, timeout_s=INSTALL_TIMEOUT_S)
        if output.startswith(REMOVES):
            removed = output.removeprefix(REMOVES).strip()
            raise QuartetError(
                host.name,
                f"apt would have to remove {removed}, so nothing was installed",
                f"if it can do without: `sudo apt-get remove {removed}` there, then run"
                " `./lab provision` again; else give its role to another machine",
            )

    @staticmethod
    def _state(status: str | None) -> str:
        return "installed" if (status or "")[1:2] == "i" else "absent"
