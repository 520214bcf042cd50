"""An NSD that somebody set up: zones of its own, at addresses of its own."""

from collections.abc import Iterator, Sequence

from provision.errors import QuartetError
from provision.refusals import ours
from provision.resources import Fact, FactKind, Snapshot
from provision.resources.conffile import changed_files
from provision.roles import dns
from provision.topology import Machine, Role, Topology

FOLDER = "/etc/nsd"
# The second is what the first includes; our own settings go there, beside those of others.
_READ = (f"{FOLDER}/nsd.conf", f"{FOLDER}/nsd.conf.d/*.conf")


def _script(_: Sequence[str]) -> str:
    return changed_files("nsd", *_READ)


def _parse(output: str) -> dict[str, Sequence[str]]:
    return {"changed": output.splitlines()}


SETTINGS = Fact(FactKind("name server", _script, _parse), "changed")


def facts(machine: Machine) -> list[Fact]:
    """What has to be known of an NSD."""
    if not machine.has(Role.DNS):
        return []
    return [ours.unless_ours(SETTINGS, dns.CONFIG), *ours.facts(dns.CONFIG)]


def refusals(machine: Machine, _: Topology, snapshot: Snapshot) -> Iterator[QuartetError]:
    """Find settings that ours would end: a zone of the same name, the addresses that it is at."""
    if not machine.has(Role.DNS) or ours.is_ours(snapshot, dns.CONFIG):
        return
    changed = snapshot.get(SETTINGS)
    if changed:
        yield QuartetError(
            machine.name,
            f"its NSD is somebody's own ({', '.join(changed)}); with Quartet's settings it would"
            " not answer as before",
            "give the role dns to another machine, or, if nobody needs it any more, move it away:"
            f" `sudo mv {FOLDER} {FOLDER}.old && sudo apt-get purge nsd`",
        )
