"""Sites that would lose their visitors, and an HAProxy that somebody set up."""

import hashlib

import pytest

from provision.refusals import facts, sites
from provision.resources import Snapshot
from provision.resources.site import LISTENS
from provision.roles import haproxy, nginx
from provision.topology import Ports
from tests.refusals.refusal_parts import FOLDER, NOTES, Server, noted, refused
from tests.site_parts import TOPOLOGY, variant

SITES = "/etc/nginx/sites-enabled"
CHANGED = f"haproxy {haproxy.CONFIG}\n"


def _file(path: str, text: str) -> str:
    """A file as `nginx -T` shows it."""
    return f"# configuration file {path}:\n{text}\n\n"


def _site(name: str, directives: str) -> str:
    return _file(f"{SITES}/{name}", f"server {{\n    {directives}\n}}")


@pytest.mark.parametrize(
    "listen",
    [
        "80",
        "*:80",
        "*",
        "[::]:80",
        "[::]",
        "0.0.0.0:80",
        "192.168.56.11:80",
        "192.168.56.11",
        "80 default_server",
    ],
)
def test_site_that_would_lose_its_visitors_is_not_pushed_aside(listen: str) -> None:
    (what,) = refused("web-01", sites=_site("shop", f"listen {listen};"))
    assert f"{SITES}/shop already serves {listen.split(maxsplit=1)[0]}" in what
    assert "192.168.56.11:80" in what


@pytest.mark.parametrize(
    "listen",
    [
        "8080",
        "*:8080",
        "443 ssl",
        "127.0.0.1:80",
        "127.0.0.1",
        "10.7.7.7:80",
        "[::1]:80",
        "[::1]",
        "unix:/run/shop.sock",
        "localhost:80",
    ],
)
def test_site_at_another_address_or_port_keeps_its_visitors(listen: str) -> None:
    assert refused("web-01", sites=_site("shop", f"listen {listen};")) == []


def test_own_site_is_no_obstacle() -> None:
    own = _file(nginx.SITE, "server { listen 192.168.56.11:80 default_server; }")
    assert refused("web-01", sites=own) == []


def test_machine_that_serves_no_web_may_have_any_site() -> None:
    assert LISTENS in facts(TOPOLOGY.machine("web-01"))
    assert LISTENS not in facts(TOPOLOGY.machine("lb-01"))


@pytest.mark.parametrize(("default", "refused_too"), [("the package's own", 0), ("changed", 1)])
def test_default_site_counts_where_its_owner_uses_it(default: str, refused_too: int) -> None:
    sites = f"default: {default}\n" + _site("default", "listen 80 default_server;")
    assert len(refused("web-01", sites=sites)) == refused_too


def test_site_without_a_word_on_it_serves_port_80() -> None:
    (what,) = refused("web-01", sites=_site("shop", "server_name shop.example.com;"))
    assert f"{SITES}/shop already serves 80" in what
    topology = variant(ports=Ports(web=8081))
    assert refused("web-01", topology, sites=_site("shop", "root /srv/shop;")) == []


def test_site_is_told_once_however_often_it_listens() -> None:
    assert len(refused("web-01", sites=_site("shop", "listen 80; listen [::]:80;"))) == 1


def test_each_file_is_told() -> None:
    sites = _site("shop", "listen 80;") + _site("blog", "listen 80;") + _site("wiki", "listen 81;")
    assert [what.split()[0] for what in refused("web-01", sites=sites)] == [
        f"{SITES}/shop",
        f"{SITES}/blog",
    ]


def test_owner_of_a_machine_of_ours_may_add_sites_as_they_like() -> None:
    sites = _site("shop", "listen 80;")
    assert refused("web-01", sites=sites, paths=noted(nginx.SITE)) == []
    assert len(refused("web-01", sites=sites, paths=noted(haproxy.CONFIG))) == 1


def test_sites_are_read_from_nginx_until_ours_is_among_them(server: Server) -> None:
    server.says("nginx", _site("shop", "listen 80;"))
    (what,) = server.refused("web-01")
    assert what.startswith(f"{SITES}/shop already serves 80")
    server.file(f"{NOTES}{nginx.SITE}")
    server.program("nginx", f"touch {server.root}/asked")
    assert server.refused("web-01") == []
    assert not (server.root / "asked").exists()


class TestHaproxy:
    """Its configuration is one file, and we write all of it."""

    def test_configuration_of_somebody_else_is_not_replaced(self) -> None:
        (what,) = refused("lb-01", conffiles=CHANGED)
        assert what == f"{haproxy.CONFIG} is somebody's own; Quartet writes the whole of it"

    def test_configuration_as_the_package_brought_it_is_replaced(self) -> None:
        assert refused("lb-01", conffiles="") == []

    def test_ours_is_ours(self) -> None:
        assert refused("lb-01", conffiles=CHANGED, paths=noted(haproxy.CONFIG)) == []

    def test_is_somebodys_on_a_computer_that_has_labs(self) -> None:
        assert len(refused("lb-01", conffiles=CHANGED, paths=(FOLDER,))) == 1

    def test_machine_of_ours_that_gets_the_role_is_new_to_it(self) -> None:
        assert len(refused("lb-01", conffiles=CHANGED, paths=noted(nginx.SITE))) == 1

    @pytest.mark.parametrize("machine", ["web-01", "web-02"])
    def test_web_machine_needs_it_as_well(self, machine: str) -> None:
        assert len(refused(machine, conffiles=CHANGED)) == 1
        assert refused(machine, conffiles=CHANGED, paths=noted(haproxy.CONFIG)) == []

    @pytest.mark.parametrize(("machine", "role"), [("lb-01", "haproxy"), ("web-01", "web")])
    def test_error_names_the_role_that_could_go_elsewhere(self, machine: str, role: str) -> None:
        changed = Snapshot({"conffiles": {f"haproxy {haproxy.CONFIG}": "changed"}})
        (error,) = sites.refusals(TOPOLOGY.machine(machine), TOPOLOGY, changed)
        assert error.next_step.startswith(f"give the role {role} to another machine")

    def test_machine_without_these_roles_may_have_any(self) -> None:
        assert refused("db-03", conffiles=CHANGED) == []

    def test_is_judged_by_what_dpkg_knows_of_it(self, server: Server) -> None:
        assert server.refused("lb-01") == []
        config = server.file(haproxy.CONFIG, "global\n")
        assert len(server.refused("lb-01")) == 1
        digest = hashlib.md5(b"global\n").hexdigest()  # noqa: S324 as dpkg has it
        server.says("dpkg-query", f" {config} {digest}")
        assert server.refused("lb-01") == []
        config.write_text("global\n\nfrontend shop\n    bind :443\n")
        assert len(server.refused("lb-01")) == 1
        server.file(f"{NOTES}{haproxy.CONFIG}")
        assert server.refused("lb-01") == []
