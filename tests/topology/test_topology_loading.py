"""A topology file without mistakes becomes typed facts that can be asked."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from pydantic import ValidationError

from provision.errors import QuartetError
from provision.topology import Nspawn, Role, Topology, Vagrant, load

Write = Callable[..., Path]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def topology(write: Write) -> Topology:
    return load(write())


def names(machines: tuple[object, ...]) -> list[str]:
    return [getattr(machine, "name", "") for machine in machines]


def test_values_arrive_typed(topology: Topology) -> None:
    assert topology.name == "quartet"
    assert topology.network == IPv4Network("192.168.56.0/24")
    assert topology.machine("lb-01").address == IPv4Address("192.168.56.10")
    assert topology.machine("lb-01").roles == (Role.HAPROXY, Role.DNS)
    assert topology.application.migrate == ("python3", "migrate.py")


def test_what_the_file_leaves_out_has_its_default(topology: Topology) -> None:
    assert (topology.nspawn, topology.vagrant) == (Nspawn(), Vagrant())
    assert topology.vagrant.box == "bento/ubuntu-24.04"
    assert topology.nspawn.preinstall
    assert topology.nspawn.expired_release == "warn"
    db = topology.machine("db-03")
    assert (db.cpus, db.memory_mb) == (1, 1024)


def test_the_application_needs_only_a_path_and_an_entry_point(write: Write) -> None:
    path = write()
    text = path.read_text(encoding="utf-8")
    first, last = text.index("  static:"), text.index("machines:")
    path.write_text(text[:first] + text[last:], encoding="utf-8")
    application = load(path).application
    assert (application.liveness, application.readiness) == ("/healthz", "/readyz")
    assert (application.static, application.migrate, application.packages) == (None, (), ())
    assert application.workers == 2


def test_a_section_with_everything_commented_out_is_none_at_all(write: Write) -> None:
    topology = load(write(("name: quartet", "name: quartet\nnspawn:\n  # suite: noble\nvagrant:")))
    assert (topology.nspawn, topology.vagrant) == (Nspawn(), Vagrant())


def test_sections_of_the_providers_are_read(write: Write) -> None:
    nspawn = "nspawn: {suite: noble, mirror: 'http://mirror.lan/ubuntu', preinstall: false}"
    vagrant = "vagrant: {box: mine, box_version: '1.0'}"
    topology = load(write(("name: quartet", f"name: quartet\n{nspawn}\n{vagrant}")))
    assert topology.nspawn.mirror == "http://mirror.lan/ubuntu"
    assert not topology.nspawn.preinstall
    assert topology.vagrant.box_version == "1.0"


def test_a_server_id_comes_from_the_address_unless_it_is_given(write: Write) -> None:
    topology = load(write(("server_id: 12", "server_id: 4294967295")))
    assert [m.server_id for m in topology.machines] == [10, 11, 4294967295, 13]


def test_a_server_id_counts_from_the_start_of_a_wide_network(write: Write) -> None:
    topology = load(
        write(
            ("network: 192.168.56.0/24", "network: 192.168.0.0/16"),
            ("    server_id: 12\n", ""),
        )
    )
    assert topology.machine("web-02").server_id == 56 * 256 + 12


def test_a_third_web_machine_is_one_more_entry(write: Write) -> None:
    line = "  web-03: {address: 192.168.56.14, roles: [web]}\n"
    topology = load(write(("  db-03:", f"{line}  db-03:")))
    assert names(topology.with_role(Role.WEB)) == ["web-01", "web-02", "web-03"]
    assert topology.machine("web-03").server_id == 14
    assert not topology.machine("web-03").is_database


def test_machines_keep_the_order_of_the_file(topology: Topology) -> None:
    assert names(topology.machines) == ["lb-01", "web-01", "web-02", "db-03"]
    assert names(topology.databases) == ["web-01", "web-02", "db-03"]
    assert topology.primary.name == "web-01"


def test_a_machine_knows_its_roles(topology: Topology) -> None:
    assert topology.machine("web-02").has(Role.REPLICA)
    assert not topology.machine("web-02").has(Role.PRIMARY)
    assert not topology.machine("lb-01").is_database


def test_an_unknown_machine_is_answered_with_the_known_ones(topology: Topology) -> None:
    with pytest.raises(QuartetError, match=r"'web-9'[^$]*lb-01, web-01, web-02, db-03"):
        topology.machine("web-9")


def test_the_gateway_is_the_first_host_address(topology: Topology) -> None:
    assert topology.gateway == IPv4Address("192.168.56.1")


def test_paths_are_absolute_wherever_the_command_runs(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write()
    monkeypatch.chdir(tmp_path)
    topology = load(Path("topology.yml"))
    assert topology.path == tmp_path / "topology.yml"
    assert topology.application.path == tmp_path / "app"


def test_facts_can_not_be_changed(topology: Topology) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        topology.machines[0].name = "other"


def test_the_projects_own_file_is_right() -> None:
    if not (REPOSITORY / "files" / "app" / "static").is_dir():
        pytest.skip("files/app is not in this checkout yet")
    topology = load(REPOSITORY / "topology.yml")
    assert len(topology.machines) == 4
