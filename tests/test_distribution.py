"""What a machine runs, asked by the real scripts, with package tools of the tests' own."""

import shutil
from pathlib import Path

import pytest

from provision import distribution
from provision.distribution import (
    ADDRESSES,
    DISTRIBUTION,
    SERVER_PACKAGE,
    Distribution,
    ServerPackage,
    addresses_of,
    distribution_of,
    server_package_of,
    version_tuple,
)
from provision.resources import Fact, FactKind, Snapshot
from tests.local_host import LocalHost, write_program

POLICY = "mysql-server:\\n  Installed: (none)\\n  Candidate: {candidate}\\n  Version table:\\n"


class Machine:
    """A machine of files below a folder; nothing is installed and apt has its lists."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.lists = folder / "var/lib/apt/lists"
        self.data = folder / "var/lib/mysql"
        self.release = folder / "etc/os-release"
        for each in (self.lists, self.data, self.release.parent):
            each.mkdir(parents=True)
        (self.lists / "deb.example.org_Packages.lz4").touch()
        self.install()
        self.offer("8.4.6-0ubuntu1")
        self.run_server(is_running=False)
        self.configure()

    def install(self, *packages: str) -> None:
        """Let dpkg say so, in lines of `package status`."""
        lines = "".join(f"{each}\\n" for each in packages)
        write_program(self.root / "bin", "dpkg-query", f"printf '{lines}'")

    def offer(self, candidate: str) -> None:
        """Let apt say so, in German unless it is told to speak English."""
        english = POLICY.format(candidate=candidate)
        german = english.replace("Candidate", "Installationskandidat")
        script = f"[ \"$LC_ALL\" = C ] && printf '{english}' || printf '{german}'"
        write_program(self.root / "bin", "apt-cache", script)

    def run_server(self, *, is_running: bool) -> None:
        """Let pgrep find it or not, whatever runs on this host."""
        script = f"[ \"$*\" = '-x mysqld' ] || exit 64; exit {int(not is_running)}"
        write_program(self.root / "bin", "pgrep", script)

    def configure(self, *options: str) -> None:
        """Let my_print_defaults find these for the server, one a line."""
        lines = "".join(f"{each}\\n" for each in options)
        script = f"[ \"$*\" = 'mysqld server' ] || exit 64; printf -- '{lines}'"
        write_program(self.root / "bin", "my_print_defaults", script)

    def ask(self, fact: Fact) -> Snapshot:
        """Ask with the real script, about this machine's files in place of the host's."""

        def script(keys: object) -> str:
            text = fact.kind.script([fact.key])
            for path in ("/var/lib/apt/lists", "/var/lib/mysql", "/etc/os-release"):
                text = text.replace(path, f"{self.root}{path}")
            return text

        kind = FactKind(fact.kind.name, script, fact.kind.parse)
        return LocalHost(self.root / "bin").read([Fact(kind, fact.key)])

    @property
    def server(self) -> ServerPackage:
        return server_package_of(self.ask(SERVER_PACKAGE))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("release", "expected", "has_apt"),
    [
        ('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"', ("debian", "Debian GNU/Linux 12"), True),
        ("ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME='Ubuntu 24.04'", ("debian", "Ubuntu 24.04"), True),
        (
            'ID=linuxmint\nID_LIKE="ubuntu debian"\nPRETTY_NAME="Mint a=b"',
            ("debian", "Mint a=b"),
            True,
        ),
        ('ID=rocky\nID_LIKE="rhel fedora"\nPRETTY_NAME=Rocky', ("rocky", "Rocky"), False),
        ("ID=alpine", ("alpine", ""), False),
        ("", ("", ""), True),
    ],
    ids=["debian", "ubuntu", "child", "rocky", "no name", "nothing"],
)
def test_distribution_is_read(
    release: str, expected: tuple[str, str], has_apt: bool, machine: Machine
) -> None:
    machine.release.write_text(f"{release}\n")
    found = distribution_of(machine.ask(DISTRIBUTION))
    assert found == Distribution(*expected)
    assert found.has_apt is has_apt


def test_machine_without_a_release_file_can_not_tell(machine: Machine) -> None:
    assert distribution_of(machine.ask(DISTRIBUTION)) == Distribution()
    assert distribution_of(Snapshot({})).has_apt


def test_this_host_tells_what_it_is() -> None:
    found = distribution_of(LocalHost().read([DISTRIBUTION]))
    release = Path("/etc/os-release")
    assert found.title in (release.read_text() if release.exists() else "")


@pytest.mark.parametrize(
    ("line", "installed", "is_mysql"),
    [
        ("mysql-server-8.4 ii ", "mysql-server-8.4", True),
        ("mysql-server-8.4 iF ", "mysql-server-8.4", True),
        ("mariadb-server ii ", "mariadb-server", False),
        ("mysql-community-server ii ", "mysql-community-server", False),
        ("percona-server-server hi ", "percona-server-server", False),
    ],
)
def test_server_that_is_installed_is_named(
    line: str, installed: str, is_mysql: bool, machine: Machine
) -> None:
    machine.install("mysql-server un ", "mariadb-server-10.5 rc ", line)
    assert machine.server == ServerPackage(installed=installed)
    assert machine.server.is_mysql is is_mysql


def test_server_that_was_removed_or_never_installed_is_none(machine: Machine) -> None:
    machine.install("mysql-server-8.0 rc ", "mariadb-server un ", "mysql-server pn ")
    assert machine.server == ServerPackage(candidate="8.4.6-0ubuntu1")


def test_candidate_is_read_whatever_language_the_machine_speaks(machine: Machine) -> None:
    machine.offer("8.0.44-0ubuntu0.22.04.1")
    assert machine.server.candidate == "8.0.44-0ubuntu0.22.04.1"


def test_release_without_mysql_has_no_candidate(machine: Machine) -> None:
    machine.offer("(none)")
    assert machine.server.candidate == "none"
    write_program(machine.root / "bin", "apt-cache", "exit 100")
    assert machine.server.candidate == "none"


def test_apt_that_was_never_updated_is_not_asked(machine: Machine) -> None:
    machine.offer("(none)")
    (machine.lists / "deb.example.org_Packages.lz4").unlink()
    assert machine.server == ServerPackage()


def test_data_of_a_server_that_is_gone_is_seen(machine: Machine) -> None:
    assert not machine.server.has_data
    (machine.data / "ibdata1").touch()
    assert machine.server.has_data


class TestDataOfAnInstalledServer:
    """What its package brings is no data of anybody's."""

    @pytest.fixture(autouse=True)
    def installed(self, machine: Machine) -> None:
        machine.install("mysql-server-8.4 ii ")
        for name in ("mysql", "sys", "performance_schema", "#innodb_redo", "#innodb_temp"):
            (machine.data / name).mkdir()
        for name in ("ibdata1", "mysql.ibd", "binlog.000001", "auto.cnf", "debian-5.7.flag"):
            (machine.data / name).touch()

    def test_fresh_server_has_none(self, machine: Machine) -> None:
        assert machine.server == ServerPackage(installed="mysql-server-8.4")

    def test_database_is_data(self, machine: Machine) -> None:
        (machine.data / "shop").mkdir()
        assert machine.server.has_data

    def test_file_that_is_called_like_a_database_is_none(self, machine: Machine) -> None:
        (machine.data / "shop").touch()
        assert not machine.server.has_data

    def test_what_lies_deeper_is_not_looked_at(self, machine: Machine) -> None:
        (machine.data / "mysql" / "shop").mkdir()
        (machine.data / "mysql" / "a-relay-bin.000001").touch()
        assert not machine.server.has_data

    @pytest.mark.parametrize("name", ["relay-bin.index", "db7-relay-bin.000004"])
    def test_relay_logs_of_a_replica_are_data(self, name: str, machine: Machine) -> None:
        (machine.data / name).touch()
        assert machine.server.has_data

    @pytest.mark.parametrize("place", ["mysql", "mysql/shop"], ids=["folder", "database in it"])
    def test_data_behind_a_link_are_data(self, place: str, machine: Machine) -> None:
        (machine.data / "shop").mkdir()
        linked = machine.data.parent / place
        linked.rename(machine.root / "elsewhere")
        linked.symlink_to(machine.root / "elsewhere")
        assert machine.server.has_data

    def test_server_that_runs_may_have_its_data_anywhere(self, machine: Machine) -> None:
        machine.run_server(is_running=True)
        assert machine.server.has_data


class TestFolderOfData:
    """Where they are by the configuration; only another place than the usual one is told."""

    def test_last_word_counts(self, machine: Machine) -> None:
        machine.configure("--user=mysql", "--datadir=/data/a", "--datadir=/data/my sql=b", "--port")
        assert machine.server.datadir == "/data/my sql=b"

    def test_usual_place_is_not_told(self, machine: Machine) -> None:
        assert machine.server.datadir == ""
        machine.configure("--user=mysql", f"--datadir={machine.data}/")
        assert machine.server.datadir == ""

    def test_link_to_it_is_the_usual_place(self, machine: Machine) -> None:
        elsewhere = machine.root / "elsewhere"
        machine.data.rename(elsewhere)
        machine.data.symlink_to(elsewhere)
        machine.configure(f"--datadir={elsewhere}")
        assert machine.server.datadir == ""


@pytest.mark.parametrize(
    ("output", "addresses"),
    [
        (
            "1: lo    inet 127.0.0.1/8 scope host lo       valid_lft forever\n"
            "2: eth0    inet 10.9.8.7/24 brd 10.9.8.255 scope global eth0\n"
            "2: eth0    inet 203.0.113.1 peer 10.0.0.1/32 scope global eth0\n",
            ("127.0.0.1", "10.9.8.7", "203.0.113.1"),
        ),
        ("", ()),
    ],
)
def test_addresses_are_the_machines_own(
    output: str, addresses: tuple[str, ...], machine: Machine
) -> None:
    write_program(machine.root / "bin", "ip", f"cat <<'END'\n{output}END")
    assert addresses_of(machine.ask(ADDRESSES)) == addresses
    assert addresses_of(Snapshot({})) == ()


@pytest.mark.skipif(not shutil.which("ip"), reason="ip (iproute2) is not on this host")
def test_this_host_has_its_own_loopback_address() -> None:
    assert "127.0.0.1" in addresses_of(LocalHost().read([ADDRESSES]))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("8.4.6-0ubuntu1", (8, 4, 6)),
        ("8.0.26", (8, 0, 26)),
        ("9.1.0-commercial", (9, 1, 0)),
        ("", ()),
        ("unknown", ()),
    ],
)
def test_version_is_compared_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert version_tuple(text) == numbers
    assert version_tuple("8.0.100") >= distribution.OLDEST_MYSQL
