"""systemd services: enabled, active, and running with the configuration that is on the disk."""

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provision.resources.base import Host, Resource, State
from provision.resources.facts import Fact, FactKind, Snapshot
from provision.resources.file import File
from provision.resources.stamps import remember_loaded, stamp_path

START_TIMEOUT_S = 300
SETTLE_TIMEOUT_S = 30
_SETTLED = """
while state=$(systemctl show --property=ActiveState --value -- {unit}); do
    case $state in reloading|activating) sleep 0.1 ;; *) break ;; esac
done
"""
_PROPERTIES = "Id,ActiveState,UnitFileState,NeedDaemonReload"


def _script(keys: Sequence[str]) -> str:
    units = shlex.join(keys)
    stamps = shlex.join(stamp_path(key) for key in keys)
    return (
        f"systemctl show --property={_PROPERTIES} -- {units} 2>/dev/null\n"
        f'for stamp in {stamps}; do [ -f "$stamp" ] || continue\n'
        # The shell reads them itself: a `cat` for each takes longer, on all machines at once.
        'said=; IFS= read -r said < "$stamp"'
        '; printf "\\nId=%s\\nStamp=%s\\n" "${stamp##*/}" "$said"; done'
    )


def _parse(output: str) -> dict[str, dict[str, str]]:
    states: dict[str, dict[str, str]] = {}
    for block in output.strip().split("\n\n"):
        pairs = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        states.setdefault(pairs.pop("Id", ""), {}).update(pairs)
    return states


SERVICES = FactKind("services", _script, _parse)


@dataclass(frozen=True)
class Service(Resource):
    """A unit that is enabled and active, and has loaded these files.

    A change of a file in `restart_on` restarts it, of one in `reload_on` reloads it, and so does
    one of any other resource in `watches`. `version` stands for anything else that a restart
    depends on, such as the release of an application. `after` has services of other machines that
    are changed before this one, and must not fail, so that a change which breaks it stops at the
    first; `turn` has some that are only not to be down at the same time.
    """

    name: str
    restart_on: tuple[File, ...] = ()
    reload_on: tuple[File, ...] = ()
    watches: tuple[Resource, ...] = ()
    version: str = ""
    after: tuple[tuple[str, str], ...] = ()
    turn: tuple[tuple[str, str], ...] = ()

    @property
    def unit(self) -> str:
        """The unit's full name, as systemd reports it."""
        return self.name if "." in self.name else f"{self.name}.service"

    @property
    def id(self) -> str:
        return f"service {self.name}"

    @property
    def triggers(self) -> tuple[str, ...]:  # type: ignore[override]
        """The resources whose change makes it load again."""
        return tuple(each.id for each in (*self.restart_on, *self.reload_on, *self.watches))

    def facts(self) -> tuple[Fact, ...]:
        return (Fact(SERVICES, self.unit),)

    def desired(self) -> State:
        return {
            "enabled": "enabled",
            "active": "active",
            "unit file": "loaded",
            "restarted with": _digest(self.restart_on, self.version),
            "reloaded with": _digest(self.reload_on),
        }

    def actual(self, snapshot: Snapshot) -> State:
        state = snapshot.get(Fact(SERVICES, self.unit)) or {}
        restarted, _, reloaded = state.get("Stamp", "").partition(" ")
        return {
            "enabled": state.get("UnitFileState") or "absent",
            "active": state.get("ActiveState", "absent"),
            "unit file": "changed" if state.get("NeedDaemonReload") == "yes" else "loaded",
            "restarted with": restarted or "unknown",
            "reloaded with": reloaded or "unknown",
        }

    def effects(self, changes: Mapping[str, str]) -> list[str]:
        """What becomes of a unit that is there, in place of digests."""
        if changes.get("enabled") == "absent":
            return []
        state = {key: changes[key] for key in changes if not key.endswith(" with")}
        runs = {"restart": ["restarts"], "reload-or-restart": ["reloads"]}
        acts = [] if "active" in changes else runs.get(self._verb(changes), [])
        return [*super().effects(state), *acts]

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        desired = self.desired()
        stamp = f"{desired['restarted with']} {desired['reloaded with']}"
        unit = shlex.quote(self.unit)
        script = [
            "set -eu",
            "systemctl daemon-reload",
            f"systemctl enable --quiet -- {unit}",
            f"systemctl reset-failed -- {unit} 2>/dev/null || :",  # a start limit is lifted if any
            f"systemctl {self._verb(changes)} -- {unit} || {{",
            f"  systemctl status --no-pager --lines=15 -- {unit} >&2; exit 1",
            "}",
            # After a reload a unit may still say "reloading" for a moment.
            f"timeout {SETTLE_TIMEOUT_S} sh -c {shlex.quote(_SETTLED.format(unit=unit))}",
            remember_loaded(self.unit, stamp),
        ]
        host.run("\n".join(script), timeout_s=START_TIMEOUT_S)

    def _verb(self, changes: Mapping[str, str]) -> str:
        reload_ids = {each.id for each in (*self.reload_on, *self.watches)}
        triggered = set(filter(None, changes.get("triggered", "").split("\n")))
        if changes.get("active", "active") != "active":
            return "restart"
        if "restarted with" in changes or triggered - reload_ids:
            return "restart"
        return "reload-or-restart" if "reloaded with" in changes or triggered else "start"


def _digest(files: Iterable[File], version: str = "") -> str:
    parts = [f"{file.path} {file.digest}" for file in files]
    return hashlib.sha256("\n".join([*parts, version]).encode()).hexdigest()[:16]
