"""What differs between distributions, as facts read from the machine: this is the one place.

Roles are the same everywhere: their package names, paths and settings hold on Debian and on Ubuntu
LTS, and the SQL in provision/mysql on MySQL 8.0.26 to 9. What a machine must have for that is here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provision.resources import Fact, FactKind, Snapshot

# Names of plugins and variables with "source" and "replica" in place of older words:
# https://dev.mysql.com/doc/relnotes/mysql/8.0/en/news-8-0-26.html
OLDEST_MYSQL = (8, 0, 26)
NO_CANDIDATE = "none"


@dataclass(frozen=True)
class Distribution:
    """What a machine runs, from os-release(5); empty where it can't be told."""

    family: str = ""
    title: str = ""

    @property
    def has_apt(self) -> bool:
        """Whether this is Debian or one of its children, or can't be told."""
        return self.family in ("", "debian")


@dataclass(frozen=True)
class ServerPackage:
    """Which database server is installed on a machine, and which could be.

    `candidate` is the version that apt would install, "none" where there is none, and empty where
    a server is installed or apt knows nothing yet, as before its first update. `has_data` tells
    whether it runs, or has anything that its package did not bring; `datadir` is the folder of its
    data where its configuration names another than /var/lib/mysql.
    """

    installed: str = ""
    candidate: str = ""
    has_data: bool = False
    datadir: str = ""

    @property
    def is_mysql(self) -> bool:
        """Whether MySQL as the distribution has it is installed."""
        return self.installed.startswith("mysql-server")


def _os_script(_: Sequence[str]) -> str:
    return (
        "(. /etc/os-release 2>/dev/null; case \" $ID $ID_LIKE \" in *' debian '*) f=debian ;;"
        ' *) f=$ID ;; esac; printf \'family=%s\\ntitle=%s\\n\' "$f" "$PRETTY_NAME")'
    )


# Packages that are removed but not purged (rc) count as not installed. apt takes its time, so only
# a machine without a server is asked what it would install. Folders may be links to others.
_SERVER_SCRIPT = r"""
server=$(dpkg-query -W -f='${Package} ${db:Status-Abbrev}\n' \
    'mysql-server*' 'mysql-community-server*' 'mariadb-server*' 'percona-server-server*' \
    2>/dev/null | awk '$2 !~ /^.[nc]/ {print $1; exit}')
echo "installed=$server"
if [ -z "$server" ]; then
    [ -z "$(ls -A /var/lib/mysql 2>/dev/null)" ] || echo data=yes
    if find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' 2>/dev/null | grep -q .; then
        candidate=$(LC_ALL=C apt-cache policy mysql-server 2>/dev/null |
            sed -n 's/^ *Candidate: //p')
        case $candidate in ''|'(none)') candidate=none ;; esac
        echo "candidate=$candidate"
    fi
elif [ -n "$(find -L /var/lib/mysql -mindepth 1 -maxdepth 1 -name '*relay-bin*' -o \
        -mindepth 1 -maxdepth 1 -type d ! -name mysql ! -name sys ! -name performance_schema \
        ! -name '#*' 2>/dev/null)" ] || pgrep -x mysqld >/dev/null; then
    echo data=yes
fi
datadir=$(my_print_defaults mysqld server 2>/dev/null | sed -n 's/^--datadir=//p' | tail -n 1)
[ "$(readlink -m -- "${datadir:-/var/lib/mysql}")" = "$(readlink -m /var/lib/mysql)" ] ||
    echo "datadir=$datadir"
"""


def _pairs(output: str) -> Mapping[str, str]:
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def _os(output: str) -> dict[str, Distribution]:
    return {"os": Distribution(**_pairs(output))}


def _server(output: str) -> dict[str, ServerPackage]:
    said = _pairs(output)
    package = ServerPackage(
        said.get("installed", ""),
        said.get("candidate", ""),
        "data" in said,
        said.get("datadir", ""),
    )
    return {"server": package}


DISTRIBUTION = Fact(FactKind("distribution", _os_script, _os), "os")
SERVER_PACKAGE = Fact(FactKind("server package", lambda _: _SERVER_SCRIPT, _server), "server")


def _addresses_script(_: Sequence[str]) -> str:
    return "ip -4 -o addr show 2>/dev/null | awk '{print $4}'"


def _addresses(output: str) -> dict[str, tuple[str, ...]]:
    return {"own": tuple(line.partition("/")[0] for line in output.splitlines() if line)}


ADDRESSES = Fact(FactKind("addresses", _addresses_script, _addresses), "own")


def addresses_of(snapshot: Snapshot) -> tuple[str, ...]:
    """The machine's own IPv4 addresses; none where it can't tell."""
    return snapshot.get(ADDRESSES) or ()


def distribution_of(snapshot: Snapshot) -> Distribution:
    """The machine's distribution."""
    return snapshot.get(DISTRIBUTION) or Distribution()


def server_package_of(snapshot: Snapshot) -> ServerPackage:
    """The machine's database server, as its packages say."""
    return snapshot.get(SERVER_PACKAGE) or ServerPackage()


def version_tuple(text: str) -> tuple[int, ...]:
    """A server's version as numbers, which compare as they should: 8.4.6-0ubuntu1 is (8, 4, 6)."""
    match = re.match(r"[0-9]+(\.[0-9]+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()
