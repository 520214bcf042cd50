"""Nginx's site and the application's environment and units, as the topology makes them."""

import configparser
import json
import re
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from provision.mysql.cluster import Cluster
from provision.release import release_of
from provision.resources import File, Link, Resource, Service
from provision.resources.migration import Migration
from provision.roles import app, nginx
from provision.roles.site import Site
from provision.topology import DataTier, Ports, Topology
from tests.site_parts import TOPOLOGY, site_of, variant

RELEASE = release_of(TOPOLOGY.application.path).id


def _file(resources: list[Resource], path: str) -> File:
    return next(each for each in resources if isinstance(each, File) and each.path == path)


def _nginx(topology: Topology = TOPOLOGY, name: str = "web-01") -> str:
    return _file(nginx.resources(topology.machine(name), site_of(topology)), nginx.SITE).content


def _app(name: str = "web-01", site: Site | None = None) -> list[Resource]:
    site = site or site_of()
    return app.resources(site.topology.machine(name), site)


def _environment(
    name: str, path: str = app.ENVIRONMENT, site: Site | None = None
) -> dict[str, str]:
    lines = _file(_app(name, site), path).content.splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize(
    ("name", "address"), [("web-01", "192.168.56.11"), ("web-02", "192.168.56.12")]
)
def test_nginx_listens_on_its_own_address_and_says_its_name(name: str, address: str) -> None:
    text = _nginx(name=name)
    assert f"listen {address}:80;" in text
    assert f"add_header X-Served-By {name} always;" in text
    assert "server_name foobar.com www.foobar.com _;" in text


def test_nginx_believes_the_load_balancer_alone() -> None:
    assert re.findall(r"set_real_ip_from (\S+);", _nginx()) == ["192.168.56.10"]


def test_nginx_serves_static_files_of_the_current_release() -> None:
    text = _nginx(variant(static="assets/public"))
    assert "location /static/ {" in text
    assert "alias /srv/app/current/assets/public/;" in text


def test_application_without_static_files_gets_every_request() -> None:
    text = _nginx(variant(static=None))
    assert "location /static/" not in text
    assert "proxy_pass http://quartet_app;" in text
    assert text.count("{") == text.count("}")


def test_nginx_checks_its_whole_configuration_in_place() -> None:
    resources = nginx.resources(TOPOLOGY.machine("web-01"), site_of())
    file = _file(resources, nginx.SITE)
    assert file.check_in_place == ("nginx", "-t", "-q")
    service = resources[-1]
    assert isinstance(service, Service)
    assert service.reload_on == (file,)
    assert "default site" in service.triggers


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not on this host")
def test_nginx_accepts_its_site(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        here = f"127.0.0.1:{free.getsockname()[1]}"
    site = _nginx().replace("192.168.56.11:80", here).replace("/var/log/nginx", str(tmp_path))
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"error_log {tmp_path}/error.log;\npid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{site}\n}}\n"
    )
    command = ["nginx", "-t", "-q", "-c", str(config), "-p", str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 0


def test_environment_tells_the_application_where_and_who_it_is() -> None:
    site = site_of()
    assert _environment("web-02", site=site) == {
        "MACHINE_NAME": "web-02",
        "RELEASE_ID": RELEASE,
        "TOPOLOGY_JSON": "/etc/app/topology.json",
        "DATABASE_WRITES": "127.0.0.1:6446",
        "DATABASE_READS": "127.0.0.1:6447",
        "DATABASE_SERVERS": "192.168.56.11:3306,192.168.56.12:3306,192.168.56.13:3306",
        "DATABASE_NAME": "app",
        "DATABASE_USER": "app",
        "DATABASE_PASSWORD": site.accounts.application.password,
        "DATABASE_CA": "/etc/app/database-ca.pem",
        "FRESH_READS": "on",
        "SESSION_SECRET": site.secrets.peek("session"),
    }


def test_ways_to_the_databases_are_where_the_topology_puts_them() -> None:
    ports = Ports(mysql=1, database_writes=2, database_reads=3)
    environment = _environment("web-01", site=site_of(variant(ports=ports)))
    assert environment["DATABASE_WRITES"] == "127.0.0.1:2"
    assert environment["DATABASE_READS"] == "127.0.0.1:3"
    assert environment["DATABASE_SERVERS"].startswith("192.168.56.11:1,")


def test_fresh_reads_are_switched_off_by_the_topology() -> None:
    site = site_of(variant(database=DataTier(fresh_reads=False)))
    assert _environment("web-01", site=site)["FRESH_READS"] == "off"


def test_cookie_of_one_web_machine_is_good_on_the_other() -> None:
    site = site_of()
    secrets = {_environment(name, site=site)["SESSION_SECRET"] for name in ("web-01", "web-02")}
    assert len(secrets) == 1
    assert secrets != {_environment("web-01")["SESSION_SECRET"]}


def test_environment_is_for_root_alone_and_its_secrets_are_masked() -> None:
    site = site_of()
    environment = _file(_app(site=site), app.ENVIRONMENT)
    secrets = {site.accounts.application.password, site.secrets.peek("session")}
    assert environment.mode == "0600"
    assert set(environment.secrets) == secrets


def test_migration_has_an_account_of_its_own() -> None:
    site = site_of()
    migration = _environment("web-01", app.MIGRATION_ENVIRONMENT, site)
    assert migration["DATABASE_USER"] == "app_migrate"
    assert migration["DATABASE_PASSWORD"] == site.accounts.migration.password


def _migration(site: Site) -> Migration:
    return next(each for each in _app("web-01", site) if isinstance(each, Migration))


def test_migration_waits_for_the_primary_and_the_way_to_it() -> None:
    site = site_of()
    one, two, three = TOPOLOGY.databases
    after = replace(site, cluster=Cluster(two, (one, three)))
    for each, primary in ((site, "web-01"), (after, "web-02")):
        migration = _migration(each)
        assert migration.ready == ("127.0.0.1", 6446)
        assert migration.requires == ((primary, "mysql primary"), (primary, "service dbagent"))


def test_new_primary_has_every_migration_already() -> None:
    site = site_of()
    one, two, three = TOPOLOGY.databases
    after = replace(site, cluster=Cluster(two, (one, three)))
    assert _migration(after).version == _migration(site).version == RELEASE


def test_release_goes_live_only_after_the_migration() -> None:
    first, second = _app("web-01"), _app("web-02")
    ids = [each.id for each in first]
    assert ids.index("migration") < ids.index("link /srv/app/current")
    link = next(each for each in second if isinstance(each, Link))
    assert link.requires == (("web-01", "migration"),)
    assert link.target == f"releases/{RELEASE}"


def test_topology_json_holds_what_the_application_shows() -> None:
    known = json.loads(_file(_app(), app.TOPOLOGY_JSON).content)
    assert (known["domain"], known["load_balancing"]) == ("foobar.com", "active-active")
    assert known["machines"][1] == {
        "name": "web-01",
        "address": "192.168.56.11",
        "roles": ["web", "primary"],
    }
    assert len(known["machines"]) == 4


def _unit(path: str, topology: Topology = TOPOLOGY) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    text = _file(_app(site=site_of(topology)), path).content
    parser.read_string(text.replace("\\\n", " "))
    return parser


def test_gunicorn_runs_the_entry_point_as_its_own_user() -> None:
    unit = _unit(app.UNIT, variant(entry_point="shop.wsgi:app", workers=7))["Service"]
    words = unit["ExecStart"].split()
    assert words[0] == "/usr/bin/gunicorn"
    assert words[-1] == "shop.wsgi:app"
    assert words[words.index("--workers") + 1] == "7"
    assert (unit["User"], unit["EnvironmentFile"]) == ("app", "/etc/app/environment")
    assert unit["WorkingDirectory"] == "/srv/app/current"


def test_socket_is_for_nginx_alone_and_the_same_on_both_sides() -> None:
    unit = _unit(app.SOCKET_UNIT)["Socket"]
    assert (unit["SocketUser"], unit["SocketMode"]) == ("www-data", "0600")
    assert f"server unix:{unit['ListenStream']} " in _nginx()


def test_new_release_restarts_the_application() -> None:
    service = _app()[-1]
    assert isinstance(service, Service)
    assert service.version == RELEASE
    assert f"file {app.ENVIRONMENT}" in service.triggers
    assert f"file {app.UNIT}" in service.triggers
