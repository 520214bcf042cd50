"""What a machine says of itself, asked in one command: a round trip each would take minutes."""

import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass

from testinfra.host import Host

from checks.clocks import Offset
from checks.expectations import UnmetError
from provision.topology import Machine, Role, Topology

UNITS = (
    "haproxy",
    "nsd",
    "nginx",
    "app",
    "app.socket",
    "mysql",
    "dbagent",
    "dbagent.socket",
    "ssh",
)
SECRET_FILES = (
    "/etc/app/environment",
    "/etc/app/migration.environment",
    "/etc/dbagent",
    "/etc/dbagent/config.json",
    "/etc/mysql/tls",
    "/etc/mysql/tls/server-key.pem",
    "/etc/nsd/nsd_control.key",
    "/etc/nsd/nsd_server.key",
    "/run/app/app.sock",
    "/srv/app/current/",
)
PLACES_OF_SECRETS = (
    "/etc/app /etc/dbagent /etc/mysql /srv/app /etc/systemd/system /tmp /var/tmp /home"
)
# On a server in use, people have files of their own in the others.
OWN_PLACES_OF_SECRETS = (
    "/etc/app /etc/dbagent /srv/app /etc/mysql/tls /etc/mysql/mysql.conf.d/quartet.cnf"
    " /etc/systemd/system/app.service /etc/systemd/system/app.socket"
    " /etc/haproxy/haproxy.cfg /etc/nginx/conf.d/quartet.conf /etc/nsd/nsd.conf.d/quartet.conf"
)
PID = re.compile(r"pid=(\d+)")
TIMEOUT_S = 20
CUT_OFF = 124  # timeout(1)
EVERY_ADDRESS = ("0.0.0.0", "::", "*")  # noqa: S104 as `ss` writes it
START, END = "\x1e", "\x1f"

EVERYWHERE: Mapping[str, str] = {
    "clock before": "date +%s.%N",
    "packages": r"dpkg-query --show --showformat='${Package} ${db:Status-Status}\n'",
    "units": "systemctl show --property=Id,LoadState,ActiveState,UnitFileState,MainPID "
    + " ".join(UNITS),
    "failed units": "systemctl list-units --failed --no-legend --plain",
    "sockets": "ss -Hlntup",
    "processes": "ps -e -o user:32= -o pid= -o ppid= -o args=",
    "modes": "stat --format='%n|%a|%U|%G' " + " ".join(SECRET_FILES) + " 2>/dev/null; true",
    "open secrets": "find %s -xdev -type f -perm /007 -size -1024k"
    " -exec grep -lE --line-buffered -e 'PRIVATE KEY-----' -e '^[A-Z_]*PASSWORD=.'"
    ' -e \'"password": ".\' {} + 2>/dev/null; true',
}
HAPROXY = {"haproxy configuration": "haproxy -c -f /etc/haproxy/haproxy.cfg"}
BY_ROLE: Mapping[Role, Mapping[str, str]] = {
    Role.HAPROXY: HAPROXY,
    Role.DNS: {"nsd configuration": "nsd-checkconf /etc/nsd/nsd.conf"},
    Role.WEB: {
        **HAPROXY,
        "nginx configuration": "nginx -t",
        "release": "readlink /srv/app/current",
        "released files": "cd /srv/app/current/ && find . -type f -exec sha256sum {} +",
        "app writes its code": "runuser -u app -- test -w /srv/app/current/",
        "app reads secrets": "runuser -u app -- test -r /etc/app/environment",
        "app account": "id app",
    },
}
ARCHIVE = "find /var/backups/quartet"
# The newest of each folder. What has no beginning is only being written, or has got its name since.
_IN_THE_CLEAR = rf"""
{ARCHIVE} -type d 2>/dev/null | while read -r folder; do
    find "$folder" -maxdepth 1 -type f ! -name '*.json' ! -name '*.json.partial' ! -name began \
        -printf '%T@ %p\n' | sort -n | tail -n 50 | cut -d ' ' -f 2-
done | while read -r path; do
    case $(head -c 21 "$path" 2>/dev/null | tr -c '[:print:]' .) in
        '' | age-encryption.org/v1) ;;
        *) echo "$path" ;;
    esac
done
"""
BACKUPS = {
    "backup timer": "systemctl show --timestamp=unix"
    " --property=ActiveState,UnitFileState,ActiveEnterTimestamp dbbackup.timer",
    "backup run": "systemctl show --property=Result,ActiveState,NRestarts dbbackup.service",
    "backup folders": f"{ARCHIVE} -maxdepth 1 -type d -printf '%p %m %u\\n' 2>/dev/null",
    "newest dump": f"{ARCHIVE}/dumps -name '*.age.json' 2>/dev/null | sort | tail -n 1"
    " | xargs -r cat",
    "archived in the clear": _IN_THE_CLEAR,
    "backup keys": "find /etc /srv /var/backups /var/lib/dbbackup-scratch /run /tmp /var/tmp /root"
    " /home -maxdepth 4 -type f -size -1024k -exec"
    " grep -IlE --line-buffered 'AGE-SECRET-KEY-1[0-9A-Z]{58}' {} + 2>/dev/null; true",
}
DATABASE = {
    **BACKUPS,
    "agent status": "/usr/local/sbin/dbagent status",
    "mysql configuration": "mysqld --validate-config --user=mysql",
    "mysql accounts": "mysql --batch --skip-column-names --execute="
    "\"SELECT user, host, ssl_type FROM mysql.user WHERE user NOT LIKE 'mysql.%'\"",
    "mysql grants": "mysql --batch --skip-column-names --execute="
    "\"SELECT CONCAT('SHOW GRANTS FOR ', QUOTE(user), '@', QUOTE(host), ';')"
    " FROM mysql.user WHERE host <> 'localhost'\" | mysql --batch --skip-column-names",
}
CLOCK_AFTER = {"clock after": "date +%s.%N"}


@dataclass(frozen=True)
class Output:
    """What a command printed, on both streams, and its exit status."""

    text: str
    status: int

    @property
    def lines(self) -> list[str]:
        """Its lines, without blank ones."""
        return [line for line in self.text.splitlines() if line.strip()]


@dataclass(frozen=True)
class MachineFacts:
    """The outputs by name, and how far the machine's clock is ahead of ours."""

    outputs: Mapping[str, Output]
    clock: Offset

    def __getitem__(self, name: str) -> Output:
        """What a command answered; raises UnmetError where it was cut off."""
        output = self.outputs[name]
        if output.status == CUT_OFF:
            said = "; ".join(output.lines[:3])
            found = f"cut off, having said: {said or 'nothing'}"
            raise UnmetError(f"{name}: an answer within {TIMEOUT_S} s", found)
        return output

    @property
    def packages(self) -> set[str]:
        """The installed ones."""
        pairs = (line.split() for line in self["packages"].lines)
        return {name for name, *status in pairs if status == ["installed"]}

    @property
    def units(self) -> dict[str, dict[str, str]]:
        """What systemd says of each unit, by its full name."""
        blocks = self["units"].text.strip().split("\n\n")
        units = (dict(line.split("=", 1) for line in block.splitlines()) for block in blocks)
        return {unit["Id"]: unit for unit in units}

    @property
    def modes(self) -> dict[str, tuple[str, str]]:
        """Path to octal mode and owner:group, of those that are there."""
        rows = (line.split("|") for line in self["modes"].lines)
        return {path: (mode, f"{owner}:{group}") for path, mode, owner, group in rows}

    @property
    def listening(self) -> set[str]:
        """What listens, such as 'tcp 192.0.2.1:80'; an address for all is '*'."""
        rows = (line.split() for line in self["sockets"].lines)
        return {f"{row[0]} {_plain(row[4])}" for row in rows}

    def listening_of(self, unit: str) -> set[str]:
        """What the processes of a unit listen on."""
        family = self.family(int(self.units[unit]["MainPID"]))
        mine = [
            line
            for line in self["sockets"].lines
            if not family.isdisjoint(map(int, PID.findall(line)))
        ]
        return {f"{row[0]} {_plain(row[4])}" for row in map(str.split, mine)}

    def family(self, pid: int) -> set[int]:
        """A process and all that descend from it; nobody's is 0."""
        found, unseen = set[int](), [pid] if pid else []
        while unseen:
            found.add(unseen[-1])
            unseen += [child for _, child in self.children.get(unseen.pop(), [])]
        return found

    @property
    def children(self) -> dict[int, list[tuple[str, int]]]:
        """User and pid of each process, by its parent's pid."""
        children: dict[int, list[tuple[str, int]]] = {}
        for line in self["processes"].lines:
            user, pid, parent, *_ = line.split(None, 3)
            children.setdefault(int(parent), []).append((user, int(pid)))
        return children

    @property
    def owners(self) -> dict[int, str]:
        """The user of each process."""
        return {pid: user for group in self.children.values() for user, pid in group}


def read(host: Host, machine: Machine, topology: Topology) -> MachineFacts:
    """Ask the machine everything at once; raises RuntimeError where it does not answer."""
    commands = commands_for(machine, topology)
    began = time.time()
    answer = host.run(script(commands))
    ended = time.time()
    outputs = parse(answer.stdout)
    if set(outputs) != set(commands):
        raise RuntimeError(answer.stderr.strip() or f"ssh or sudo ended with status {answer.rc}")
    before, after = (float(outputs[f"clock {when}"].text) for when in ("before", "after"))
    return MachineFacts(outputs, Offset(least_s=after - ended, most_s=before - began))


def commands_for(machine: Machine, topology: Topology) -> dict[str, str]:
    """Say what this machine is asked."""
    chosen = dict(EVERYWHERE)
    places = OWN_PLACES_OF_SECRETS if topology.provider == "ssh" else PLACES_OF_SECRETS
    chosen["open secrets"] %= places
    for role, commands in BY_ROLE.items():
        chosen |= commands if machine.has(role) else {}
    if machine.has(Role.DNS):
        chosen["zone"] = shlex.join(["nsd-checkzone", topology.domain, "/etc/nsd/quartet.zone"])
    return chosen | (DATABASE if machine.is_database else {}) | CLOCK_AFTER


def script(commands: Mapping[str, str]) -> str:
    """Return a shell script that runs all and marks where each output starts and ends."""
    marks = (
        f"printf '\\036%s\\037' {shlex.quote(name)};"
        f" timeout {TIMEOUT_S} sh -c {shlex.quote(command)} 2>&1; printf '\\037%s' $?"
        for name, command in commands.items()
    )
    return "; ".join(marks)


def parse(text: str) -> dict[str, Output]:
    """Take the script's output apart."""
    parts = (block.split(END) for block in text.split(START)[1:])
    return {name: Output(output, int(status)) for name, output, status in parts}


def _plain(address: str) -> str:
    host, _, port = address.rpartition(":")
    host = host.partition("%")[0].strip("[]")
    return f"{'*' if host in EVERY_ADDRESS else host}:{port}"
