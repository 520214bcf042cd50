"""The database agent's files: what provisioning writes is what the agent reads."""

import configparser
import json
import stat
from dataclasses import replace

import pytest
from dbagent.config import Config, Login, Peer

from provision.mysql.cluster import Cluster
from provision.resources import File, Resource, Service
from provision.resources.tree import Tree
from provision.roles import dbagent
from provision.roles.site import Site
from provision.topology import DataTier, Ports, Topology
from tests.site_parts import TOPOLOGY, site_of, variant

SITE = site_of()


def _resources(name: str = "web-01", site: Site = SITE) -> list[Resource]:
    return dbagent.resources(site.topology.machine(name), site)


def _file(path: str, name: str = "web-01", site: Site = SITE) -> File:
    files = [each for each in _resources(name, site) if isinstance(each, File)]
    return next(each for each in files if each.path == path)


def _config(name: str = "web-01", site: Site = SITE) -> Config:
    return Config.from_json(json.loads(_file("/etc/dbagent/config.json", name, site).content))


def _unit(path: str, topology: Topology = TOPOLOGY) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters="=", strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(_file(path, site=site_of(topology)).content)
    return parser


@pytest.mark.parametrize("name", [machine.name for machine in TOPOLOGY.databases])
def test_agent_reads_what_provisioning_writes(name: str) -> None:
    config = _config(name)
    assert config.machine == name
    assert config.databases == tuple(
        Peer(each.name, str(each.address)) for each in TOPOLOGY.databases
    )
    assert (config.mysql_port, config.agent_port) == (3306, 8008)
    assert config.manager == Login("manager", SITE.accounts.manager.password)
    assert config.replication == Login("replication", SITE.accounts.replication.password)
    assert config.clone == Login("clone", SITE.accounts.clone.password)


def test_limits_are_the_topologys() -> None:
    tier = DataTier(max_lag_s=2, failover="automatic", failover_pause_s=60)
    topology = variant(database=tier, ports=Ports(mysql=1, database_agent=2))
    config = _config(site=site_of(topology))
    assert (config.max_lag_s, config.automatic, config.pause_s) == (2, True, 60)
    assert (config.mysql_port, config.agent_port) == (1, 2)
    assert (_config().automatic, _config().patience) == (False, 1)
    assert _config(site=site_of(variant(patience=6))).patience == 6


def test_agent_and_provisioning_wait_for_as_many_acknowledgements() -> None:
    assert _config().acknowledgements == TOPOLOGY.acknowledgements


def test_authority_is_the_one_that_mysql_has() -> None:
    assert _config().ca == "/etc/mysql/tls/ca.pem"


def test_settings_are_for_root_alone_and_their_passwords_masked() -> None:
    file = _file("/etc/dbagent/config.json")
    accounts = SITE.accounts
    assert (file.owner, file.mode) == ("root:root", "0600")
    assert set(file.secrets) == {
        account.password for account in (accounts.manager, accounts.replication, accounts.clone)
    }


def test_change_of_the_primary_changes_no_setting() -> None:
    one, two, three = TOPOLOGY.databases
    after = replace(SITE, cluster=Cluster(two, (one, three)))
    assert _resources(site=after) == _resources()


def test_agent_is_asked_at_the_machines_private_address() -> None:
    topology = variant(ports=Ports(database_agent=9))
    socket = _unit(dbagent.SOCKET_UNIT, topology)["Socket"]
    assert socket["ListenStream"] == "192.168.56.11:9"


def test_new_release_restarts_the_agent_and_leaves_its_socket_open() -> None:
    [socket, service] = [each for each in _resources() if isinstance(each, Service)]
    [release] = [each for each in _resources() if isinstance(each, Tree)]
    assert release.path == f"/srv/dbagent/releases/{service.version}"
    assert set(service.triggers) == {f"file {dbagent.UNIT}", "file /etc/dbagent/config.json"}
    assert socket.triggers == (f"file {dbagent.SOCKET_UNIT}",)


def test_service_runs_the_current_release_as_the_command_does() -> None:
    unit = _unit(dbagent.UNIT)["Service"]
    assert unit["WorkingDirectory"] == "/srv/dbagent/current"
    command = _file("/usr/local/sbin/dbagent")
    module = "/usr/bin/python3 -m dbagent"
    assert unit["ExecStart"] == f"{module} serve"
    assert f"cd /srv/dbagent/current && exec {module}" in command.content
    assert int(command.mode, 8) & stat.S_IXUSR


def test_service_comes_back_whatever_ends_it() -> None:
    parser = _unit(dbagent.UNIT)
    assert parser["Service"]["Restart"] == "always"
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"
