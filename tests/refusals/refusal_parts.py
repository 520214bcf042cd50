"""What machines say of themselves, and what is said against them."""

import re
from pathlib import Path

from provision.mysql.state import SERVER
from provision.refusals import facts, refusals
from provision.resources import Fact, Snapshot
from provision.resources.facts import parse_answers, script_for
from provision.topology import Machine, Topology
from tests.local_host import LocalHost, write_program
from tests.site_parts import TOPOLOGY

UBUNTU = "family=debian\ntitle=Ubuntu 24.04\n"
FOLDER = "/var/lib/quartet"
NOTES = f"{FOLDER}/ours"


def refused(
    name: str, topology: Topology = TOPOLOGY, *, paths: tuple[str, ...] = (), **outputs: str
) -> list[str]:
    """What is said against a machine whose programs print this, by the names of the facts.

    `paths` are those that are there, of all that are asked about.
    """
    machine = topology.machine(name)
    said = {"distribution": UBUNTU, "files": _listing(*paths)}
    said |= {key.replace("_", " "): text for key, text in outputs.items()}
    sections = "".join(f"\n--quartet-fact {kind}\n{text}" for kind, text in said.items())
    # Also what another machine would be asked: a fact may be known for the sake of another role.
    known = [fact for each in TOPOLOGY.machines for fact in questions(each)]
    return judged(machine, topology, parse_answers(known, sections))


def judged(machine: Machine, topology: Topology, snapshot: Snapshot) -> list[str]:
    """What is said against a machine that answered so; each comes with what to do."""
    errors = refusals(topology, {machine.name: snapshot})
    assert {error.where for error in errors} <= {machine.name}
    assert all(error.next_step for error in errors)
    return [error.what for error in errors]


def questions(machine: Machine) -> list[Fact]:
    """All that is asked of the machine."""
    return [*facts(machine), *([SERVER] if machine.is_database else [])]


def noted(*paths: str) -> tuple[str, ...]:
    """What is there where these paths are, and are noted as ours."""
    return (*paths, *[f"{NOTES}{path}" for path in paths])


def _listing(*paths: str) -> str:
    fields = ("d", "root", "root", "755", "", "")
    return "\0" + "".join("\0".join((path, *fields)) for path in paths)


class Server:
    """A server of files below a folder, asked by the real scripts; its programs say little."""

    PLACES = re.compile(r"(?<![\w.$}/-])(?=/(var/lib|etc|srv|var/www)/)")

    def __init__(self, root: Path) -> None:
        self.root = root / "server"
        for place in ("bin", "etc/nginx/sites-enabled", "var/lib/apt/lists", "var/lib/mysql"):
            (self.root / place).mkdir(parents=True)
        self.file("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME='Ubuntu 24.04'\n")
        for name in ("dpkg-query", "my_print_defaults", "nginx", "ss", "ip", "getent"):
            self.program(name, "")
        for name in ("pgrep", "mysql"):
            self.program(name, "exit 1")

    def program(self, name: str, script: str) -> None:
        write_program(self.root / "bin", name, script)

    def says(self, name: str, output: str) -> None:
        """Let a program print this, whatever it is asked."""
        self.program(name, f"cat <<'END'\n{output}\nEND")

    def file(self, path: str, text: str = "") -> Path:
        file = Path(f"{self.root}{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def folder(self, path: str) -> None:
        Path(f"{self.root}{path}").mkdir(parents=True)

    def refused(self, name: str, topology: Topology = TOPOLOGY) -> list[str]:
        """What is said against it as this machine of the topology."""
        machine = topology.machine(name)
        asked = questions(machine)
        script = self.PLACES.sub(str(self.root), script_for(asked))
        output = LocalHost(self.root / "bin").run(script).replace(str(self.root), "")
        return judged(machine, topology, parse_answers(asked, output))
