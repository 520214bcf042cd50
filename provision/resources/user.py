"""System users that services run as."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provision.resources.base import Host, Resource, State
from provision.resources.facts import Fact, FactKind, Snapshot


def _script(keys: Sequence[str]) -> str:
    return shlex.join(["getent", "passwd", "--", *keys])


def _parse(output: str) -> dict[str, str]:
    fields = [line.split(":") for line in output.splitlines()]
    return {entry[0]: entry[6] for entry in fields if len(entry) == 7}  # noqa: PLR2004 passwd(5)


USERS = FactKind("users", _script, _parse)


@dataclass(frozen=True)
class User(Resource):
    """A system account without a password, a home or a login shell."""

    name: str
    shell: str = "/usr/sbin/nologin"

    @property
    def id(self) -> str:
        return f"user {self.name}"

    def facts(self) -> tuple[Fact, ...]:
        return (Fact(USERS, self.name),)

    def desired(self) -> State:
        return {"shell": self.shell}

    def actual(self, snapshot: Snapshot) -> State:
        return {"shell": snapshot.get(Fact(USERS, self.name)) or "absent"}

    def apply(self, host: Host, changes: Mapping[str, str]) -> None:
        if changes.get("shell") == "absent":
            command = ["useradd", "--system", "--user-group", "--no-create-home"]
        else:
            command = ["usermod"]
        host.run(shlex.join([*command, "--shell", self.shell, self.name]))
