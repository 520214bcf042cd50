"""Facts are gathered from the real host, or from files and servers that a test makes."""

import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread

import pytest

from provision.doctor.facts import clock, host, processor, servers, vagrant, virtualbox
from provision.doctor.facts.asking import MISSING, TIMED_OUT, ask
from provision.doctor.facts.containers import file_system_at
from provision.doctor.facts.network import listeners
from provision.doctor.versions import parse_version, shown


class _AnHourAgo(BaseHTTPRequestHandler):
    """A web server whose clock is an hour slow."""

    status, age = 200, "0"

    def do_HEAD(self) -> None:
        self.send_response_only(self.status)
        self.send_header("Date", formatdate(time.time() - 3600, usegmt=True))
        self.send_header("Age", self.age)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Refusing(_AnHourAgo):
    status = 404


class _Caching(_AnHourAgo):
    age = "3600"


@pytest.fixture
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), request.param) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("url", "offset_s"),
    [(_AnHourAgo, 3600), (_Refusing, 3600), (_Caching, 0)],
    indirect=["url"],
)
def test_offset_is_read_off_a_web_servers_date(url: str, offset_s: float) -> None:
    assert clock.offset_from(url) == pytest.approx(offset_s, abs=3)


def test_nobody_at_the_other_end_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert clock.within(2, lambda: clock.offset_from(f"http://127.0.0.1:{port}/")) is None


def test_slow_answer_is_not_waited_for() -> None:
    def answer_late() -> float:
        time.sleep(5)
        return 1.0

    started = time.monotonic()
    assert clock.within(0.1, answer_late) is None
    assert time.monotonic() - started < 2


def test_program_that_hangs_is_given_up() -> None:
    started = time.monotonic()
    assert ask(["sleep", "30"], within_s=0.2).status == TIMED_OUT
    assert time.monotonic() - started < 5


def test_missing_program_is_an_answer() -> None:
    answer = ask(["no-such-program-here"])
    assert answer.status == MISSING
    assert answer.is_missing
    assert not answer.succeeded


def test_program_speaks_english() -> None:
    assert "No such file" in ask(["ls", "/no/such/file"]).err


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Vagrant 2.3.4", (2, 3, 4)),
        ("7.0.20r163906", (7, 0, 20)),
        ("6.18.44-fc-v657", (6, 18, 44)),
        ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-1)", (10, 0, 2)),
        ("nothing", None),
    ],
)
def test_version_is_the_first_dotted_number(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


def test_version_is_written_as_people_do() -> None:
    assert shown((7, 0, 20)) == "7.0.20"


def test_virtualbox_complains_before_it_says_its_version() -> None:
    said = "WARNING: The character device /dev/vboxdrv does not exist.\n\t x 1.2.3\n7.1.4r165100\n"
    assert virtualbox.version_in(said) == (7, 1, 4)
    assert virtualbox.version_in("") is None


def test_free_memory_is_what_is_available(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    assert host.free_memory_mb(meminfo) is None
    meminfo.write_text("MemFree:  1024 kB\nMemAvailable:    2097152 kB\n")
    assert host.free_memory_mb(meminfo) == 2048


def test_folders_of_one_disk_share_its_room(tmp_path: Path) -> None:
    [room] = host.disk_rooms({tmp_path / "a/b": 1.0, tmp_path / "c": 2.5})
    assert room.folders == (tmp_path / "a/b", tmp_path / "c")
    assert room.needed_gb == 3.5
    assert room.free_gb > 0
    assert not (tmp_path / "a").exists()


def test_processor_flags_are_those_of_the_first() -> None:
    cpuinfo = "processor : 0\nflags\t\t: fpu vmx hypervisor\n\nprocessor : 1\nflags\t\t: fpu\n"
    assert processor.flags_of(cpuinfo) == {"fpu", "vmx", "hypervisor"}
    assert processor.flags_of("Features : fp asimd\n") == set()


@pytest.mark.parametrize(
    ("cpuinfo", "module"),
    [
        ("processor : 0\nvendor_id\t: GenuineIntel\n", "kvm_intel"),
        ("processor : 0\nvendor_id\t: AuthenticAMD\n", "kvm_amd"),
        ("processor : 0\nvendor_id\t: Somebody Else\n", None),
        ("processor : 0\nCPU implementer : 0x41\n", None),
    ],
)
def test_kvm_module_is_that_of_the_processors_vendor(cpuinfo: str, module: str | None) -> None:
    assert processor.vendors_module_of(cpuinfo) == module


def test_last_mount_at_a_place_counts() -> None:
    mountinfo = (
        "23 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "40 23 0:30 / / rw,relatime shared:1 - overlay overlay rw\n"
        "41 23 0:31 / /var rw - xfs /dev/vdb rw\n"
    )
    assert file_system_at(Path("/"), mountinfo) == "overlay"
    assert file_system_at(Path("/var"), mountinfo) == "xfs"
    assert file_system_at(Path("/srv"), mountinfo) == "unknown"


def test_who_listens_is_seen_in_the_kernel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert listeners(server.getsockname()[1]) == [IPv4Address("127.0.0.1")]


def test_drivers_are_found_where_packages_put_them(tmp_path: Path) -> None:
    gem = tmp_path / "opt/vagrant/embedded/gems/gems/vagrant-2.4.9"
    drivers = gem / "plugins/providers/virtualbox/driver"
    drivers.mkdir(parents=True)
    for name in ("base.rb", "version_6_1.rb", "version_7_2.rb"):
        (drivers / name).touch()
    assert vagrant.drivers_below(tmp_path) == {(6, 1), (7, 2)}


def test_emulation_is_chosen_in_the_users_vagrantfile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    assert not vagrant.asks_for_emulation(tmp_path / "project")
    (tmp_path / "Vagrantfile").write_text('c.vm.provider(:libvirt) { |l| l.driver = "qemu" }\n')
    assert vagrant.asks_for_emulation(tmp_path / "project")


def test_key_files_are_looked_at_once_each(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret")
    key.chmod(0o640)
    facts = servers.ssh_facts([key, key, tmp_path / "absent"])
    assert [each.mode for each in facts.keys] == [0o640, None]
