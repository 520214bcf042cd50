"""MySQL's files and parts, as the topology and the servers' own word make them."""

import configparser
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from cryptography import x509

from provision.mysql.cluster import Cluster
from provision.mysql.gtid import GtidSet
from provision.mysql.primary import Lossless, Primary
from provision.mysql.replica import Replica
from provision.resources import File, Resource, Service
from provision.roles import mysql
from provision.roles.site import Site
from provision.site_paths import MYSQL_AUTHORITY, MYSQL_TLS
from provision.topology import Role
from tests.site_parts import TOPOLOGY, site_of, variant

SITE = site_of()
ONE, TWO, THREE = TOPOLOGY.databases
EXECUTED = GtidSet("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-2")


def _resources(name: str, site: Site = SITE) -> list[Resource]:
    machine = site.topology.machine(name)
    return [*mysql.resources(machine, site), *mysql.replication_resources(machine, site)]


def _file(name: str, path: str, site: Site = SITE) -> File:
    found = [each for each in _resources(name, site) if isinstance(each, File)]
    return next(each for each in found if each.path == path)


def _config(name: str, site: Site = SITE) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(_file(name, mysql.CONFIG, site).content)
    return parser["mysqld"]


@pytest.mark.parametrize(
    ("name", "server_id", "address"),
    [
        ("web-01", "11", "192.168.56.11"),
        ("web-02", "12", "192.168.56.12"),
        ("db-03", "13", "192.168.56.13"),
    ],
)
def test_server_has_its_own_id_and_address(name: str, server_id: str, address: str) -> None:
    config = _config(name)
    assert (config["server_id"], config["bind_address"]) == (server_id, address)
    assert config["report_host"] == address


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("gtid_mode", "ON"),
        ("enforce_gtid_consistency", "ON"),
        ("sync_binlog", "1"),
        ("innodb_flush_log_at_trx_commit", "1"),
        ("require_secure_transport", "ON"),
        ("super_read_only", "ON"),
        ("rpl_semi_sync_source_enabled", "OFF"),
        ("rpl_semi_sync_source_wait_point", "AFTER_SYNC"),
        ("innodb_buffer_pool_size", "256M"),
        ("port", "3306"),
    ],
)
def test_server_is_lossless_and_boots_fenced(option: str, value: str) -> None:
    assert _config("db-03")[option] == value


def test_memory_of_the_machine_sizes_the_server() -> None:
    machines = tuple(replace(m, memory_mb=4096) for m in TOPOLOGY.machines)
    assert (
        _config("db-03", site_of(variant(machines=machines)))["innodb_buffer_pool_size"] == "1024M"
    )


def test_configuration_is_the_same_in_every_part() -> None:
    after = replace(SITE, cluster=Cluster(TWO, (ONE, THREE)))
    assert _file("web-01", mysql.CONFIG, after) == _file("web-01", mysql.CONFIG)


@pytest.mark.parametrize(
    ("cluster", "primary"),
    [(SITE.cluster, "web-01"), (Cluster(TWO, (ONE, THREE)), "web-02")],
    ids=["as described", "after a failover"],
)
def test_part_is_what_the_cluster_says_not_the_file(cluster: Cluster, primary: str) -> None:
    site = replace(SITE, cluster=cluster)
    for machine in TOPOLOGY.databases:
        part = _resources(machine.name, site)[-1]
        closing = mysql.closing_resources(machine, site)
        if machine.name == primary:
            assert isinstance(part, Primary)
            assert closing == [Lossless(primary, 1)]
        else:
            assert isinstance(part, Replica)
            assert part.primary.name == primary
            assert closing == []


@pytest.mark.parametrize(
    ("databases", "acknowledgements"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3)]
)
def test_primary_waits_for_half_of_the_servers(databases: int, acknowledgements: int) -> None:
    machines = [
        replace(ONE, name=f"db-{n}", roles=(Role.PRIMARY if n < 2 else Role.REPLICA,))
        for n in range(1, databases + 1)
    ]
    site = site_of(variant(machines=tuple(machines)))
    assert mysql.closing_resources(machines[0], site) == [Lossless("db-1", acknowledgements)]


def test_replica_knows_what_the_primary_has_and_whether_its_own_may_go() -> None:
    cluster = Cluster(ONE, (TWO, THREE), "uuid", EXECUTED)
    site = replace(SITE, cluster=cluster, reclone=frozenset({"web-02"}))
    two, three = (_resources(name, site)[-1] for name in ("web-02", "db-03"))
    assert isinstance(two, Replica)
    assert isinstance(three, Replica)
    assert (two.primary_uuid, two.primary_executed, two.reclone) == ("uuid", EXECUTED, True)
    assert not three.reclone


def test_each_server_has_a_certificate_of_its_own_from_one_authority() -> None:
    authorities = {_file(m.name, MYSQL_AUTHORITY).content for m in TOPOLOGY.databases}
    assert len(authorities) == 1
    for machine in TOPOLOGY.databases:
        text = _file(machine.name, f"{MYSQL_TLS}/server.pem").content
        names = x509.load_pem_x509_certificate(text.encode()).extensions
        found = names.get_extension_for_class(x509.SubjectAlternativeName).value
        # Web machines reach it through a port of their own, with TLS from end to end.
        addresses = found.get_values_for_type(x509.IPAddress)
        assert addresses == [machine.address, IPv4Address("127.0.0.1")]


def test_key_is_read_by_mysql_alone_and_shown_to_nobody() -> None:
    key = _file("web-01", f"{MYSQL_TLS}/server-key.pem")
    assert (key.owner, key.mode, key.secret) == ("mysql:mysql", "0600", True)


def test_server_is_restarted_with_its_configuration_and_certificates() -> None:
    service = next(each for each in _resources("web-01") if isinstance(each, Service))
    assert {each.path for each in service.restart_on} == {
        mysql.CONFIG,
        MYSQL_AUTHORITY,
        f"{MYSQL_TLS}/server.pem",
        f"{MYSQL_TLS}/server-key.pem",
    }
    check = ("mysqld", "--defaults-file={new}", "--user=mysql", "--validate-config")
    assert _file("web-01", mysql.CONFIG).check == check
    assert all(each.loaded_by == ("mysql.service",) for each in service.restart_on)
