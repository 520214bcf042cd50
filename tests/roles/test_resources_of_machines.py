"""What each machine of topology.yml should have, and what is true of all of it."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from provision import roles
from provision.mysql.cluster import Cluster
from provision.mysql.gtid import GtidSet
from provision.mysql.state import DatabaseState, Source
from provision.release import release_of
from provision.resources import File, Packages, Resource
from provision.roles.site import Site
from provision.secrets import SecretStore
from provision.templates import FILES
from tests.recording_host import Call, RecordingHost, database
from tests.site_parts import TOPOLOGY, site_of, variant, with_third_web

RELEASE = release_of(TOPOLOGY.application.path).id
AGENT = release_of(FILES / "dbagent").id
BACKUP = release_of(FILES / "backups").id
MACHINES = [machine.name for machine in TOPOLOGY.machines]

MYSQL = [
    "mysql: directory /etc/mysql/tls",
    "mysql: file /etc/mysql/tls/ca.pem",
    "mysql: file /etc/mysql/tls/server.pem",
    "mysql: file /etc/mysql/tls/server-key.pem",
    "mysql: file /etc/systemd/system/mysql.service.d/quartet.conf",
    "mysql: file /etc/mysql/mysql.conf.d/quartet.cnf",
    "mysql: service mysql",
]
HAPROXY = [
    "haproxy: file /etc/haproxy/haproxy.cfg",
    "haproxy: service haproxy",
]
DBAGENT = [
    "dbagent: directory /srv/dbagent",
    "dbagent: directory /srv/dbagent/releases",
    "dbagent: directory /etc/dbagent",
    "dbagent: file /etc/dbagent/config.json",
    f"dbagent: release /srv/dbagent/releases/{AGENT}",
    "dbagent: link /srv/dbagent/current",
    "dbagent: file /usr/local/sbin/dbagent",
    "dbagent: file /etc/systemd/system/dbagent.service",
    "dbagent: file /etc/systemd/system/dbagent.socket",
    "dbagent: service dbagent.socket",
    "dbagent: service dbagent",
]
BACKUPS = [
    "backups: directory /srv/dbbackup",
    "backups: directory /srv/dbbackup/releases",
    "backups: directory /etc/dbbackup",
    "backups: file /etc/dbbackup/config.json",
    f"backups: release /srv/dbbackup/releases/{BACKUP}",
    "backups: link /srv/dbbackup/current",
    "backups: file /etc/systemd/system/dbbackup.service",
    "backups: file /etc/systemd/system/dbbackup.timer",
    "backups: service dbbackup.timer",
]
NGINX = [
    "nginx: default site",
    "nginx: file /etc/nginx/conf.d/quartet.conf",
    "nginx: file /etc/systemd/system/nginx.service.d/quartet.conf",
    "nginx: service nginx",
]
APP = [
    "app: directory /srv/app",
    "app: user app",
    "app: directory /srv/app/releases",
    "app: directory /etc/app",
    "app: file /etc/app/database-ca.pem",
    "app: file /etc/app/topology.json",
    "app: file /etc/app/whole_answers.py",
    "app: file /etc/app/environment",
    f"app: release /srv/app/releases/{RELEASE}",
]
APP_END = [
    "app: link /srv/app/current",
    "app: file /etc/systemd/system/app.service",
    "app: file /etc/systemd/system/app.socket",
    "app: service app.socket",
    "app: service app",
]
EXPECTED = {
    "lb-01": [
        "packages: packages",
        *HAPROXY,
        "dns: file /etc/nsd/quartet.zone",
        "dns: file /etc/nsd/nsd.conf.d/quartet.conf",
        "dns: service nsd",
    ],
    "web-01": [
        "packages: packages",
        *HAPROXY,
        *MYSQL,
        "mysql: mysql primary",
        *DBAGENT,
        *NGINX,
        *APP,
        "app: file /etc/app/migration.environment",
        "app: migration",
        *APP_END,
        "mysql: mysql semi-sync",
        *BACKUPS,
    ],
    "web-02": [
        "packages: packages",
        *HAPROXY,
        *MYSQL,
        "mysql: mysql replica",
        *DBAGENT,
        *NGINX,
        *APP,
        *APP_END,
        *BACKUPS,
    ],
    "db-03": ["packages: packages", *MYSQL, "mysql: mysql replica", *DBAGENT, *BACKUPS],
}
DATABASE_PACKAGES = {"mysql-server", "python3-pymysql", "age", "zstd", "python3"}
PACKAGES = {
    "lb-01": {"haproxy", "nsd"},
    "web-01": {
        *DATABASE_PACKAGES,
        "haproxy",
        "nginx",
        "gunicorn",
        "python3-cryptography",
        "python3-jinja2",
    },
    "db-03": DATABASE_PACKAGES,
}
WEB_SOURCE = Source("192.168.56.11", "replication", True, True, True)


@cache
def _store() -> SecretStore:
    store = SecretStore(None)
    for machine in TOPOLOGY.machines:
        roles.resources(machine, site_of(secrets=store))
    return store


def _resources(name: str, only: set[str] | None = None) -> list[tuple[str, Resource]]:
    return roles.resources(TOPOLOGY.machine(name), site_of(secrets=_store()), only)


def _ids(name: str, only: set[str] | None = None) -> list[str]:
    return [f"{role}: {resource.id}" for role, resource in _resources(name, only)]


@pytest.mark.parametrize("name", MACHINES)
def test_machine_has_exactly_these_resources_in_this_order(name: str) -> None:
    assert _ids(name) == EXPECTED[name]


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_of_all_roles_are_one_resource_at_the_front(name: str) -> None:
    resources = [resource for _, resource in _resources(name)]
    assert [at for at, each in enumerate(resources) if isinstance(each, Packages)] == [0]
    assert isinstance(resources[0], Packages)
    assert set(resources[0].names) == PACKAGES[name]
    assert len(resources[0].names) == len(PACKAGES[name])
    assert resources[0].blocks_machine


def test_packages_of_all_machines_are_known_before_any_is_there() -> None:
    assert set(roles.packages(TOPOLOGY)) == set().union(*PACKAGES.values())


@pytest.mark.parametrize("name", MACHINES)
def test_every_resource_is_unique_on_its_machine(name: str) -> None:
    ids = [resource.id for _, resource in _resources(name)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", MACHINES)
def test_same_input_gives_the_same_desired_state(name: str) -> None:
    def desired() -> list[object]:
        return [(r, x.id, dict(x.desired()), x.requires, x.triggers) for r, x in _resources(name)]

    assert desired() == desired()


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_is_told_by_facts(name: str) -> None:
    assert all(resource.facts() for _, resource in _resources(name))


@pytest.mark.parametrize("name", MACHINES)
def test_triggers_stand_before_what_they_trigger(name: str) -> None:
    seen: set[str] = set()
    for _, resource in _resources(name):
        assert set(resource.triggers) <= seen
        seen.add(resource.id)


def test_every_need_is_a_resource_of_that_machine() -> None:
    needs = {need for name in MACHINES for _, each in _resources(name) for need in each.requires}
    there = {(name, each.id) for name in MACHINES for _, each in _resources(name)}
    assert needs <= there
    assert {("web-01", "mysql primary"), ("web-01", "service dbagent")} <= needs
    assert ("web-01", "migration") in needs


@pytest.mark.parametrize(
    ("name", "only", "kept"),
    [
        ("lb-01", {"dns"}, {"packages", "dns"}),
        ("lb-01", {"haproxy", "dns"}, {"packages", "haproxy", "dns"}),
        ("web-01", {"nginx"}, {"packages", "nginx"}),
        ("web-01", {"web"}, {"packages", "haproxy", "nginx", "app"}),
        ("web-01", {"mysql"}, {"packages", "mysql"}),
        ("web-01", {"primary"}, {"packages", "mysql", "dbagent", "backups"}),
        ("db-03", {"dbagent"}, {"packages", "dbagent"}),
        ("db-03", {"web"}, set()),
        ("lb-01", {"mysql"}, set()),
        ("web-01", set(), set()),
    ],
)
def test_only_keeps_the_named_roles(name: str, only: set[str], kept: set[str]) -> None:
    assert {role for role, _ in _resources(name, only)} == kept


def test_only_installs_no_package_of_another_role() -> None:
    assert _resources("lb-01", {"dns"})[0][1] == Packages(("nsd",))


def test_names_are_those_of_the_roles_and_of_the_file_each_once() -> None:
    names = roles.names()
    assert len(names) == len(set(names))
    assert {"haproxy", "dns", "mysql", "dbagent", "nginx", "app", "backups"} <= set(names)
    assert {"web", "primary", "replica"} <= set(names)


def _desired(primary: str) -> dict[tuple[str, str], object]:
    """What all machines should have while this one is primary, but for its part in replication."""
    first = TOPOLOGY.machine(primary)
    others = tuple(each for each in TOPOLOGY.databases if each != first)
    site = replace(site_of(secrets=_store()), cluster=Cluster(first, others, "uuid"))
    return {
        (machine.name, each.id): each.desired()
        for machine in TOPOLOGY.machines
        for _, each in roles.resources(machine, site)
        if not each.id.startswith("mysql ")
    }


@pytest.mark.parametrize("primary", [machine.name for machine in TOPOLOGY.databases])
def test_change_of_the_primary_changes_no_file_and_restarts_nothing(primary: str) -> None:
    before = _desired(TOPOLOGY.primary.name)
    assert len(before) == sum(map(len, EXPECTED.values())) - 4
    assert _desired(primary) == before


@pytest.mark.parametrize("name", MACHINES)
def test_what_the_primary_says_of_itself_matters_to_replication_alone(name: str) -> None:
    """Convergence makes the rest before any server has answered."""
    described = site_of(secrets=_store())
    executed = GtidSet("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9")
    told = replace(
        described.cluster, primary_uuid="uuid", primary_executed=executed, is_followed=True
    )

    def same(site: Site) -> list[tuple[str, Resource]]:
        replication = set(roles.ROLES) - roles.SAME_FOR_A_PRIMARY
        return roles.resources(TOPOLOGY.machine(name), site, without=replication)

    assert same(described) == same(replace(described, cluster=told))


def test_new_web_machine_gets_what_the_others_have() -> None:
    topology = with_third_web()
    site = site_of(topology, _store())
    ids = [f"{role}: {x.id}" for role, x in roles.resources(topology.machine("web-03"), site)]
    assert ids == ["packages: packages", *HAPROXY, *NGINX, *APP, *APP_END]


def test_application_without_a_migration_has_none() -> None:
    topology = variant(migrate=())
    site = site_of(topology, _store())
    resources = [each for m in topology.machines for _, each in roles.resources(m, site)]
    assert not any("migration" in each.id for each in resources)
    assert not any(need[1] == "migration" for each in resources for need in each.requires)


def _applied(name: str, resource: Resource) -> list[Call]:
    """All that applying a resource would run, on a machine that has nothing of it yet."""
    starts: Iterator[str] = iter(["1", "2"])

    def answer(script: str, stdin: str) -> str:
        return next(starts, "2") if "ExecMainStart" in script else ""

    blank = DatabaseState(answers=True)
    good = DatabaseState(
        answers=True,
        gtid_executed=GtidSet("3e11fa47-71ca-11e1-9e33-c80aa9429562:1"),
        source=WEB_SOURCE,
        receiver="ON",
        applier="ON",
    )
    host = RecordingHost(database(blank), database(good), name=name, answer=answer)
    resource.apply(host, dict.fromkeys(resource.desired(), "absent"))
    return host.calls


def _private(name: str) -> str:
    """A line that stands in this key alone."""
    return (_store().peek(name) or "").splitlines()[1]


PASSWORDS = ["replication", "clone", "app", "app_migrate", "monitor", "manager"]
KEYS = ["web-01", "web-02", "db-03"]


def _secrets() -> list[str]:
    passwords = [_store().peek(f"mysql_{user}") or "" for user in PASSWORDS]
    keys = [_private("ca_key"), *(_private(f"certificate_key_{n}") for n in KEYS)]
    secrets = [*passwords, _store().peek("session") or "", *keys]
    assert all(len(secret) >= 32 for secret in secrets)
    return secrets


@pytest.mark.parametrize("name", MACHINES)
def test_no_secret_is_on_a_command_line(name: str) -> None:
    calls = [call for _, each in _resources(name) for call in _applied(name, each)]
    assert len(calls) >= len(_resources(name))
    assert [s for s in _secrets() if any(s in call.script for call in calls)] == []


@pytest.mark.parametrize("name", MACHINES)
def test_every_script_is_sound_shell(name: str) -> None:
    scripts = [call.script for _, each in _resources(name) for call in _applied(name, each)]
    text = "\n".join(f"(\n{script}\n)" for script in scripts)
    assert subprocess.run(["sh", "-n"], input=text.encode(), check=False).returncode == 0


@pytest.mark.parametrize("name", MACHINES)
def test_no_secret_is_in_a_repr_or_a_state(name: str) -> None:
    shown = "".join(f"{each!r} {each.id} {each.desired()}" for _, each in _resources(name))
    assert [secret for secret in _secrets() if secret in shown] == []


@pytest.mark.parametrize("name", MACHINES)
def test_machine_gets_no_key_but_its_own(name: str) -> None:
    fed = "".join(call.stdin for _, each in _resources(name) for call in _applied(name, each))
    assert _private("ca_key") not in fed
    others = [_private(f"certificate_key_{other}") for other in KEYS if other != name]
    assert not any(key in fed for key in others)


@pytest.mark.parametrize("name", MACHINES)
def test_file_with_a_secret_is_for_its_reader_alone_and_masked(name: str) -> None:
    for file in (each for _, each in _resources(name) if isinstance(each, File)):
        held = [secret for secret in _secrets() if secret in file.content]
        if held:
            assert file.mode == "0600"
            assert file.secret or set(held) == set(file.secrets)
