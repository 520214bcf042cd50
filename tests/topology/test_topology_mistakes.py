"""Each mistake that a topology file can hold is reported with its place and what would be right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from provision.topology import Problem, TopologyError, load

Write = Callable[..., Path]

LB, WEB1, WEB2, DB = "machines.lb-01", "machines.web-01", "machines.web-02", "machines.db-03"
NAME = "name: quartet"
DOMAIN = "domain: foobar.com"
NETWORK = "network: 192.168.56.0/24"
PROVIDER = "provider: nspawn"
BALANCING = "load_balancing: active-active"
STATIC = "static: static"
LB_ROLES, WEB1_ROLES = "[haproxy, dns]", "[web, primary]"
WEB2_ADDRESS, WEB2_ROLES = "address: 192.168.56.12", "[web, replica]"
DB_ADDRESS, DB_ROLES = "address: 192.168.56.13", "roles: [replica]"
LONG_LABEL = "x" * 64

Case = tuple[str, str, str, int | None, str]

# Old text, new text, and where and how the one mistake that this makes is reported.
NAMES: list[Case] = [
    (NAME, "name: Quartet", "name", 1, "'Quartet' is not a lab name"),
    (NAME, "name: quartet-lab", "name", 1, "up to 9 of a-z, 0-9 and -"),
    (NAME, "name:", "name", 1, "is empty"),
    (NAME, "name: 7", "name", 1, "7 is not a lab name"),
    (DOMAIN, "domain: ''", "domain", 2, "is empty"),
    (DOMAIN, "domain: foobar", "domain", 2, "single label"),
    (DOMAIN, "domain: foobar.com.", "domain", 2, "ends with a dot"),
    (DOMAIN, "domain: http://foobar.com", "domain", 2, "has a scheme"),
    (DOMAIN, "domain: foo_bar.com", "domain", 2, "underscore"),
    (DOMAIN, "domain: FooBar.com", "domain", 2, "lower case"),
    (DOMAIN, "domain: -foobar.com", "domain", 2, "bad part '-foobar'"),
    (DOMAIN, "domain: foobar..com", "domain", 2, "bad part ''"),
    (DOMAIN, f"domain: {LONG_LABEL}.com", "domain", 2, "1 to 63"),
    (DOMAIN, f"domain: {'foobar.' * 30}com", "domain", 2, "too long"),
    (DOMAIN, "domain: 192.168.56.10", "domain", 2, "a number like an address"),
    ("  web-02:", "  web_02:", "machines.web_02", 24, "'web_02' is not a host name"),
    ("  web-02:", "  Web-02:", "machines.Web-02", 24, "a-z"),
    ("  web-02:", "  web-02-:", "machines.web-02-", 24, "no - at either end"),
    ("  web-02:", f"  {LONG_LABEL}:", f"machines.{LONG_LABEL}", 24, "1 to 63"),
    ("  web-02:", "  www:", "machines.www", 24, "www is taken"),
    ("  web-02:", "  web-01:", WEB1, 24, "stands on line 21 and again on line 24"),
]
ADDRESSES: list[Case] = [
    (NETWORK, "network: 192.168.56.0", "network", 3, "such as 192.168.56.0/24"),
    (NETWORK, "network: 192.168.256.0/24", "network", 3, "CIDR"),
    (NETWORK, "network: 192.168.56.0/255.255.255.0", "network", 3, "CIDR"),
    (NETWORK, "network: 192.168.56.9/24", "network", 3, "write 192.168.56.0/24"),
    (NETWORK, "network: 8.8.8.0/24", "network", 3, "not private"),
    (NETWORK, "network: 169.254.0.0/16", "network", 3, "not private"),
    (NETWORK, "network: 10.0.0.0/7", "network", 3, "too large"),
    (NETWORK, "network: 192.168.56.0/30", "network", 3, "too small"),
    (WEB2_ADDRESS, "address: 10.0.0.5", f"{WEB2}.address", 25, "10.0.0.5 is outside the network"),
    (
        WEB2_ADDRESS,
        "address: 192.168.57.12",
        f"{WEB2}.address",
        25,
        "192.168.56.2 to 192.168.56.25",
    ),
    (DB_ADDRESS, "address: 192.168.56.12", f"{DB}.address", 29, "belongs to web-02; 192.168.56.13"),
    (DB_ADDRESS, "address: 192.168.56.0", f"{DB}.address", 29, "address of the network"),
    (DB_ADDRESS, "address: 192.168.56.255", f"{DB}.address", 29, "broadcast"),
    (DB_ADDRESS, "address: 192.168.56.1", f"{DB}.address", 29, "gateway"),
    (DB_ADDRESS, "address: fd00::13", f"{DB}.address", 29, "not an IPv4 address"),
    (DB_ADDRESS, "address: 13", f"{DB}.address", 29, "13 is not an IPv4 address"),
    (DB_ADDRESS, "address:", f"{DB}.address", 29, "is empty"),
    ("server_id: 12", "server_id: 0", f"{WEB2}.server_id", 27, "from 1 to 4294967295"),
    ("server_id: 12", "server_id: 4294967296", f"{WEB2}.server_id", 27, "4294967296 is not"),
    ("server_id: 12", "server_id: 13", f"{WEB2}.server_id", 27, "server id of db-03 (from its"),
]
ROLES: list[Case] = [
    (LB_ROLES, "[dns]", "machines", 15, "no machine has the role haproxy"),
    (LB_ROLES, "[haproxy, dns, dns]", f"{LB}.roles", 18, "names dns twice"),
    (WEB1_ROLES, "[web]", "machines", 15, "no machine has the role primary"),
    (WEB1_ROLES, "[web, primry]", f"{WEB1}.roles", 23, "did you mean 'primary'?"),
    (
        WEB1_ROLES,
        "[web, primary, mail]",
        f"{WEB1}.roles",
        23,
        "haproxy, dns, web, primary, replica",
    ),
    (WEB1_ROLES, "[web, primary, 5]", f"{WEB1}.roles", 23, "5 is not one of"),
    (WEB1_ROLES, "[web, primary, replica]", f"{WEB1}.roles", 23, "primary and replica at once"),
    (WEB2_ROLES, "[web, primary]", f"{WEB2}.roles", 26, "web-01 is primary already"),
    (DB_ROLES, "roles: [replica, haproxy]", f"{DB}.roles", 30, "only one load balancer"),
    (WEB2_ROLES, "[]", f"{WEB2}.roles", 26, "is an empty list"),
    (DB_ROLES, "roles: replica", f"{DB}.roles", 30, "'replica' is not a list"),
    (DB_ROLES, "role: [replica]", f"{DB}.role", 30, "did you mean 'roles'?"),
    (f"    {DB_ROLES}\n", "", f"{DB}.roles", 28, "is missing; write for example"),
]
VALUES: list[Case] = [
    (
        PROVIDER,
        "provider: docker",
        "provider",
        4,
        "'docker' is not one of nspawn, virtualbox, libvirt, ssh",
    ),
    (PROVIDER, "provider: virtualbx", "provider", 4, "did you mean 'virtualbox'?"),
    (
        BALANCING,
        "load_balancing: round-robin",
        "load_balancing",
        5,
        "active-active, active-passive",
    ),
    (NAME, f"{NAME}\npatience: 0", "patience", 2, "from 1 to 20"),
    (NAME, f"{NAME}\npatience: 1.5", "patience", 2, "1.5 is not a whole number"),
    (BALANCING, "load_balancing: true", "load_balancing", 5, "true is not one of"),
    ("cpus: 1", "cpus: 0", f"{LB}.cpus", 19, "0 is not a whole number from 1 to 64"),
    ("cpus: 1", "cpus: 65", f"{LB}.cpus", 19, "from 1 to 64"),
    ("cpus: 1", "cpus: true", f"{LB}.cpus", 19, "true is not a whole number"),
    ("cpus: 1", "cpus: '2'", f"{LB}.cpus", 19, "'2' is not a whole number"),
    ("cpus: 1", "cpus: 1.5", f"{LB}.cpus", 19, "1.5 is not a whole number"),
    ("memory_mb: 512", "memory_mb: 128", f"{LB}.memory_mb", 20, "from 256"),
    ("memory_mb: 512", "memory_mb: 512M", f"{LB}.memory_mb", 20, "'512M' is not a whole number"),
    ("path: app", "path: ap", "application.path", 7, "does not exist"),
    ("path: app", "path: topology.yml", "application.path", 7, "is no folder"),
    ("path: app", "path: 3", "application.path", 7, "the path of a folder"),
    ("board.wsgi:application", "board.wsgi", "application.entry_point", 8, "MODULE:CALLABLE"),
    ("board.wsgi:application", "board/wsgi.py:app", "application.entry_point", 8, "not MODULE"),
    (STATIC, "static: ../static", "application.static", 9, "inside the application's"),
    (STATIC, "static: /srv/static", "application.static", 9, "inside the application's"),
    (STATIC, "static: .", "application.static", 9, "inside the application's"),
    (STATIC, "static: assets", "application.static", 9, "assets is no folder"),
    ("/healthz", "healthz", "application.liveness", 10, "starts with /"),
    ("/readyz", "'/ready z'", "application.readiness", 11, "no spaces"),
    ("[python3, migrate.py]", "python3 migrate.py", "application.migrate", 12, "not a list"),
    ("[python3, migrate.py]", "[python3, 3]", "application.migrate", 12, "3 is not text"),
    ("python3-jinja2", "Python3_Jinja2", "application.packages", 13, "Debian package name"),
    ("workers: 2", "workers: 0", "application.workers", 14, "from 1 to 64"),
]
DATA_TIER: list[Case] = [
    (NAME, f"{NAME}\ndatabase: {{max_lag_s: 0}}", "database.max_lag_s", 2, "from 1 to 86400"),
    (NAME, f"{NAME}\ndatabase: {{max_lag_s: 0.5}}", "database.max_lag_s", 2, "0.5 is not a whole"),
    (NAME, f"{NAME}\ndatabase: {{fresh_reads: on}}", "database.fresh_reads", 2, "true or false"),
    (NAME, f"{NAME}\ndatabase: {{failover: auto}}", "database.failover", 2, "mean 'automatic'?"),
    (NAME, f"{NAME}\ndatabase: {{failover: true}}", "database.failover", 2, "manual, automatic"),
    (
        NAME,
        f"{NAME}\ndatabase: {{failover_pause_s: -1}}",
        "database.failover_pause_s",
        2,
        "-1 is not a whole number from 1",
    ),
    (NAME, f"{NAME}\ndatabase: {{max_lag: 5}}", "database.max_lag", 2, "did you mean 'max_lag_s'?"),
    (NAME, f"{NAME}\ndatabase: automatic", "database", 2, "not a block of keys"),
    (NAME, f"{NAME}\nbackups: {{at: '3:15'}}", "backups.at", 2, "in quotes, such as '03:15'"),
    (NAME, f"{NAME}\nbackups: {{at: '24:00'}}", "backups.at", 2, "'24:00' is not a time of day"),
    (NAME, f"{NAME}\nbackups: {{at: 315}}", "backups.at", 2, "315 is not a time of day"),
    (NAME, f"{NAME}\nbackups: {{at: '03:15 '}}", "backups.at", 2, "is not a time of day"),
    (NAME, f"{NAME}\nbackups: {{keep_days: 0}}", "backups.keep_days", 2, "from 1 to 3650"),
    (NAME, f"{NAME}\nbackups: {{keep: 3}}", "backups.keep", 2, "unknown key 'keep'"),
    (
        NAME,
        f"{NAME}\nports: {{database_reads: 6446}}",
        "ports.database_reads",
        2,
        "web-01, web-02 would listen on port 6446 twice, for database_writes and for",
    ),
    (
        NAME,
        f"{NAME}\nports: {{database_agent: 3306}}",
        "ports.database_agent",
        2,
        "web-01, web-02, db-03 would listen on port 3306 twice, for mysql and for database_agent",
    ),
    (
        NAME,
        f"{NAME}\nports: {{database_writes: 80}}",
        "ports.database_writes",
        2,
        "on port 80 twice, for web and for database_writes",
    ),
    (NAME, f"{NAME}\nports: {{database_agent: 0}}", "ports.database_agent", 2, "from 1 to 65535"),
    (
        NAME,
        f"{NAME}\nports: {{database_agnt: 1}}",
        "ports.database_agnt",
        2,
        "did you mean 'database_agent'?",
    ),
]
SHAPES: list[Case] = [
    (NAME, f"{NAME}\ncolour: blue", "colour", 2, "unknown key 'colour'; the keys here are name"),
    (NAME, f"{NAME}\npath: /srv", "path", 2, "unknown key 'path'"),
    (NAME, f"{NAME}\nname: other", "name", 2, "stands on line 1 and again on line 2"),
    (f"{DOMAIN}\n", "", "domain", None, "is missing; write for example 'domain: foobar.com'"),
    (DOMAIN, "domian: foobar.com", "domian", 2, "did you mean 'domain'?"),
    ("entry_point:", "entrypoint:", "application.entrypoint", 8, "did you mean 'entry_point'?"),
    (WEB2_ADDRESS, "adress: 192.168.56.12", f"{WEB2}.adress", 25, "did you mean 'address'?"),
    (f"    {WEB2_ADDRESS}\n", "", f"{WEB2}.address", 24, "write for example 'address: 192"),
    ("server_id: 12", "name: web", f"{WEB2}.name", 27, "unknown key 'name'"),
    (NAME, f"{NAME}\nnspawn: {{suit: noble}}", "nspawn.suit", 2, "did you mean 'suite'?"),
    (NAME, f"{NAME}\nnspawn: {{preinstall: 'yes'}}", "nspawn.preinstall", 2, "true or false"),
    (NAME, f"{NAME}\nnspawn: {{mirror: debian.org}}", "nspawn.mirror", 2, "http://"),
    (NAME, f"{NAME}\nnspawn: {{expired_release: no}}", "nspawn.expired_release", 2, "warn, refuse"),
    (NAME, f"{NAME}\nnspawn: noble", "nspawn", 2, "'noble' is not a block of keys"),
    (NAME, f"{NAME}\nvagrant: {{box_version: 2025.08}}", "vagrant.box_version", 2, "in quotes"),
    (NAME, f"{NAME}\nvagrant: {{bx: mine}}", "vagrant.bx", 2, "did you mean 'box'?"),
    (
        "  db-03:",
        "  db-04:\n  db-03:",
        "machines.db-04",
        28,
        "is empty; it has to be a block of keys",
    ),
    ("  db-03:", "  db-04: yes\n  db-03:", "machines.db-04", 28, "'yes' is not a block of keys"),
]
EVERY_CASE = [*NAMES, *ADDRESSES, *ROLES, *VALUES, *DATA_TIER, *SHAPES]


def problems_of(write: Write, *changes: tuple[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(TopologyError) as caught:
        load(write(*changes))
    return caught.value.problems


@pytest.mark.parametrize("case", EVERY_CASE, ids=[case[1][:40] for case in EVERY_CASE])
def test_one_mistake_is_one_problem_with_its_place(write: Write, case: Case) -> None:
    old, new, path, line, message = case
    (problem,) = problems_of(write, (old, new))
    assert (problem.path, problem.line) == (path, line)
    assert message in problem.message


def test_a_machine_that_is_a_second_primary_and_a_replica_breaks_two_rules(write: Write) -> None:
    second, torn = problems_of(write, (WEB2_ROLES, "[web, replica, primary]"))
    assert (second.path, torn.path) == (f"{WEB2}.roles", f"{WEB2}.roles")
    assert "web-01 is primary already" in second.message
    assert "primary and replica at once" in torn.message


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        (((WEB1_ROLES, "[primary]"), (WEB2_ROLES, "[replica]")), "machines", "role web"),
        (
            ((LB_ROLES, "[dns]"), (WEB1_ROLES, "[web, primary, haproxy]")),
            "ports.web",
            "web-01 would listen on port 80 twice, for http and for web",
        ),
        (
            (("server_id: 12", "server_id: 99"), (DB_ROLES, f"{DB_ROLES}\n    server_id: 99")),
            f"{DB}.server_id",
            "also the server id of web-02;",
        ),
        (
            ((NAME, f"{NAME}\ndatabase: {{failover: automatic}}"), (WEB2_ROLES, "[web]")),
            "database.failover",
            "at least 3 database machines, and there are 2: two agents that are not the primary",
        ),
        (
            (("workers: 2", "workers: 2 #"), (NETWORK, "network: 192.168.56.1/29")),
            "network",
            "write 192.168.56.0/29",
        ),
    ],
    ids=[
        "no web",
        "one port twice",
        "server id chosen twice",
        "too few to agree",
        "host bits beside outsiders",
    ],
)
def test_rules_that_take_two_changes_to_break(
    write: Write, changes: tuple[tuple[str, str], ...], path: str, message: str
) -> None:
    found = [p.path for p in problems_of(write, *changes) if message in p.message]
    assert found == [path]


def test_a_static_folder_that_links_elsewhere_is_refused(write: Write) -> None:
    path = write((STATIC, "static: linked"))
    (path.parent / "app" / "linked").symlink_to("/usr")
    with pytest.raises(TopologyError, match=r"application.static: .* links to a place outside"):
        load(path)
