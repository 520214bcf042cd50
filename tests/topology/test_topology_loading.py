"""A topology file without mistakes becomes typed facts that can be asked."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from provision.errors import QuartetError
from provision.topology import (
    Backups,
    DataTier,
    Nspawn,
    Ports,
    Role,
    Topology,
    TopologyError,
    Vagrant,
    load,
)

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
    assert (topology.database, topology.backups) == (DataTier(), Backups())
    db = topology.machine("db-03")
    assert (db.cpus, db.memory_mb) == (1, 1024)


def test_data_tier_promises_little_by_itself(topology: Topology) -> None:
    assert topology.database.failover == "manual"
    assert topology.database.fresh_reads
    ports = topology.ports
    assert (ports.database_writes, ports.database_reads, ports.database_agent) == (6446, 6447, 8008)


def test_data_tier_and_backups_are_read(write: Write) -> None:
    database = "database: {max_lag_s: 2, fresh_reads: false, failover: automatic}"
    backups = "backups: {at: 23:59, keep_days: 1}"
    topology = load(write(("name: quartet", f"name: quartet\n{database}\n{backups}")))
    assert topology.database == DataTier(max_lag_s=2, fresh_reads=False, failover="automatic")
    assert topology.backups == Backups(at="23:59", keep_days=1)


@pytest.mark.parametrize("failover", ["manual", "automatic"])
def test_three_databases_may_fail_over_either_way(failover: str, write: Write) -> None:
    block = f"name: quartet\ndatabase: {{failover: {failover}}}"
    assert load(write(("name: quartet", block))).database.failover == failover


def test_two_databases_fail_over_by_command(write: Write) -> None:
    block = "name: quartet\ndatabase: {failover: manual}"
    topology = load(write(("name: quartet", block), ("[web, replica]", "[web]")))
    assert (len(topology.databases), topology.acknowledgements) == (2, 1)


@pytest.mark.parametrize(
    ("databases", "acknowledgements"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3)]
)
def test_half_of_the_databases_have_a_write(
    databases: int, acknowledgements: int, topology: Topology
) -> None:
    machines = (topology.machine("db-03"),) * databases
    changed = replace(topology, machines=machines)
    assert changed.acknowledgements == acknowledgements


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
    nothing = "nspawn:\n  # suite: noble\nvagrant:\nports:\ndatabase:\nbackups:\n"
    topology = load(write(("name: quartet", f"name: quartet\n{nothing}")))
    assert (topology.nspawn, topology.vagrant) == (Nspawn(), Vagrant())
    assert (topology.ports, topology.database) == (Ports(), DataTier())
    assert topology.backups == Backups()


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
    with pytest.raises(FrozenInstanceError):
        topology.machines[0].name = "other"  # type: ignore[misc]


def test_the_projects_own_file_is_right() -> None:
    if not (REPOSITORY / "files" / "app" / "static").is_dir():
        pytest.skip("files/app is not in this checkout yet")
    topology = load(REPOSITORY / "topology.yml")
    assert len(topology.machines) == 4


SINGLE = (
    ("network: 192.168.56.0/24", "network: 127.0.0.0/8\nports: {web: 8080}"),
    ("provider: nspawn", "provider: ssh"),
    ("address: 192.168.56.10\n    roles: [haproxy, dns]", "address: 127.0.0.1\n    roles: ALL"),
)


def single_machine(write: Write, *changes: tuple[str, str]) -> Path:
    """Cut the good file down to one server that is everything."""
    path = write(*SINGLE, *changes)
    text = path.read_text().partition("  web-01:")[0]
    path.write_text(text.replace("roles: ALL", "roles: [haproxy, dns, web, primary]"))
    return path


def test_one_server_may_be_everything(write: Write) -> None:
    topology = load(single_machine(write))
    assert topology.databases == (topology.primary,) == topology.with_role(Role.WEB)


def test_a_lab_may_not_live_on_the_loopback_network(write: Write) -> None:
    with pytest.raises(TopologyError, match="reaches no other machine"):
        load(single_machine(write, ("provider: ssh", "provider: nspawn")))


def test_neither_a_name_server_nor_a_replica_is_owed(write: Write) -> None:
    topology = load(write(("[haproxy, dns]", "[haproxy]"), ("[web, replica]", "[web]")))
    assert topology.with_role(Role.DNS) == ()


def test_the_first_address_is_free_where_no_lab_needs_it(write: Write) -> None:
    topology = load(write(("provider: nspawn", "provider: ssh"), ("192.168.56.10", "192.168.56.1")))
    assert str(topology.load_balancer.address) == "192.168.56.1"


def test_logins_are_read_from_the_file_and_from_each_machine(write: Write) -> None:
    topology = load(
        write(
            (
                "provider: nspawn",
                "provider: ssh\nssh: {user: deploy, key: ~/id, jump: me@hop:2222}",
            ),
            ("server_id: 12", "ssh: {host: web2.example.com, port: 2200}\n    server_id: 12"),
        )
    )
    web = topology.machine("web-02").ssh
    assert (web.host, web.port, web.user, web.key) == ("web2.example.com", 2200, None, None)
    assert (topology.ssh.user, topology.ssh.key) == ("deploy", Path("~/id").expanduser())
    assert topology.ssh.jump == "me@hop:2222"


@pytest.mark.parametrize(
    "named", ["keys/id", "./keys/id", "../{folder}/keys/id", "{parent}/keys/id"]
)
def test_key_of_a_login_is_beside_the_file_wherever_the_command_is_run(
    named: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write().parent
    named = named.format(folder=folder.name, parent=folder)
    path = write(
        ("provider: nspawn", f"provider: ssh\nssh: {{key: {named}}}"),
        ("server_id: 12", f"ssh: {{key: {named}}}\n    server_id: 12"),
    )
    monkeypatch.chdir("/")
    topology = load(path)
    for key in (topology.ssh.key, topology.machine("web-02").ssh.key):
        assert key is not None
        assert key.resolve() == folder.resolve() / "keys/id"


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ("ssh: {key: '~nobody-of-that-name/id'}", "machines.web-02.ssh.key"),
        ("ssh: {key: ''}", "machines.web-02.ssh.key"),
        ("ssh: {key: 7}", "machines.web-02.ssh.key"),
        ("ssh: {prt: 22}", "machines.web-02.ssh.prt"),
        ("ssh: {port: 0}", "machines.web-02.ssh.port"),
        ("ssh: {host: 'a b'}", "machines.web-02.ssh.host"),
        ("ssh: {jump: '-oProxyCommand=x'}", "machines.web-02.ssh.jump"),
    ],
)
def test_a_mistake_in_a_login_has_its_place(write: Write, block: str, place: str) -> None:
    with pytest.raises(TopologyError) as caught:
        load(write(("server_id: 12", f"{block}\n    server_id: 12")))
    assert [problem.path for problem in caught.value.problems] == [place]


def test_each_topology_file_has_its_own_folder_for_keys_and_secrets(write: Write) -> None:
    path = write()
    other = path.rename(path.with_name("production.yml"))
    assert load(other).state_folder == path.parent / ".quartet" / "production"
    assert load(write()).state_folder == path.parent / ".quartet"


def test_the_example_for_servers_that_exist_already_is_right() -> None:
    topology = load(REPOSITORY / "production.example.yml")
    assert topology.provider == "ssh"
    assert str(topology.front_address) == "203.0.113.10"
    assert topology.machine("db-03").ssh.jump == "deploy@lb.example.com"


@pytest.mark.parametrize("other", ["public_address: 203.0.113.1", "address: 192.168.56.12"])
def test_two_machines_cant_have_one_public_address(write: Write, other: str) -> None:
    address = other.split()[1]
    path = write(
        ("roles: [replica]", f"roles: [replica]\n    public_address: {address}"),
        ("    server_id: 12", f"    {other}" if "public" in other else "    server_id: 12"),
    )
    with pytest.raises(TopologyError, match=f"{address} already belongs to web-02"):
        load(path)
