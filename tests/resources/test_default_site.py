"""Nginx's default site: the package's own is switched off, one that its owner changed is kept."""

import hashlib
from pathlib import Path

import pytest

from provision.resources import site
from provision.resources.site import DEFAULT, LISTENS, DefaultSite, site_listens
from tests.local_host import LocalHost, write_program

PACKAGED = "server {\n    listen 80 default_server;\n    listen [::]:80 default_server;\n}\n"


@pytest.fixture
def nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree like /etc/nginx, with the package's own site enabled, and a dpkg that knows of it."""
    etc = tmp_path / "nginx"
    for name in ("conf.d", "sites-available", "sites-enabled"):
        (etc / name).mkdir(parents=True)
    available = etc / "sites-available" / "default"
    available.write_text(PACKAGED)
    (etc / "sites-enabled" / "default").symlink_to(available)
    digest = hashlib.md5(PACKAGED.encode()).hexdigest()  # noqa: S324 as dpkg has it
    write_program(tmp_path / "bin", "dpkg-query", f"echo ' {available} {digest}'")
    for name in ("ENABLED", "AVAILABLE"):
        monkeypatch.setattr(site, name, getattr(site, name).replace("/etc/nginx", str(etc)))
    return etc


@pytest.fixture(autouse=True)
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the default site serves: the page that the package brings."""
    folder = tmp_path / "html"
    folder.mkdir()
    (folder / "index.nginx-debian.html").touch()
    monkeypatch.setattr(site, "PAGES", str(folder))
    return folder


@pytest.fixture
def host(tmp_path: Path, nginx: Path) -> LocalHost:
    return LocalHost(tmp_path / "bin")


def test_packages_own_site_is_switched_off_and_stays_available(
    host: LocalHost, nginx: Path
) -> None:
    assert host.changes(DefaultSite()) == {"the package's own": "served"}
    assert host.ensure(DefaultSite()) == {}
    assert not (nginx / "sites-enabled" / "default").is_symlink()
    assert (nginx / "sites-available" / "default").read_text() == PACKAGED


@pytest.mark.parametrize("how", ["edited", "a file of its own"])
def test_owners_default_site_is_left_alone(how: str, host: LocalHost, nginx: Path) -> None:
    enabled = nginx / "sites-enabled" / "default"
    if how == "a file of its own":
        enabled.unlink()
    enabled.write_text("server { listen 8080; }")
    assert host.changes(DefaultSite()) == {}
    DefaultSite().apply(host, {})
    assert enabled.exists()


def test_stamp_is_forgotten_before_the_site_goes(
    host: LocalHost, nginx: Path, loaded: Path
) -> None:
    (loaded / "nginx.service").write_text("1 2")
    host.ensure(DefaultSite(loaded_by=("nginx.service",)))
    assert not (loaded / "nginx.service").exists()


@pytest.mark.parametrize("page", ["index.html", ".well-known", "my index.nginx-debian.html"])
def test_default_site_with_pages_of_its_owner_is_left_alone(
    page: str, host: LocalHost, nginx: Path, pages: Path
) -> None:
    (pages / page).touch()
    assert host.changes(DefaultSite()) == {}
    DefaultSite().apply(host, {})
    assert (nginx / "sites-enabled" / "default").is_symlink()


@pytest.mark.parametrize("is_there", [True, False])
def test_default_site_without_any_page_is_the_packages(
    is_there: bool, host: LocalHost, nginx: Path, pages: Path
) -> None:
    (pages / "index.nginx-debian.html").unlink()
    if not is_there:
        pages.rmdir()
    assert host.ensure(DefaultSite()) == {}
    assert not (nginx / "sites-enabled" / "default").is_symlink()


def test_default_site_of_a_package_that_dpkg_does_not_know_is_its_owners(
    host: LocalHost, tmp_path: Path
) -> None:
    write_program(tmp_path / "bin", "dpkg-query", "exit 1")
    assert host.changes(DefaultSite()) == {}


class TestSites:
    """What Nginx itself says that it serves."""

    def told(
        self, host: LocalHost, tmp_path: Path, *files: tuple[str, str]
    ) -> dict[str, list[str]]:
        """What is told where `nginx -T` shows these files."""
        said = tmp_path / "said"
        said.write_text("".join(f"# configuration file {name}:\n{text}\n" for name, text in files))
        write_program(
            tmp_path / "bin", "nginx", f'[ "$1" = -T ] && cat {said}; echo "syntax is ok" >&2'
        )
        found = site_listens(host.read([LISTENS, DEFAULT]))
        return {name: list(listens) for name, listens in found.items()}

    @pytest.mark.parametrize(
        ("text", "listens"),
        [
            ("server {\n  listen 8080;\n\tlisten 10.0.0.1:443 ssl;\n}\n", ["8080", "10.0.0.1:443"]),
            ("server { listen 81; } server { listen [::]:82; }", ["81", "[::]:82"]),
            ("server{listen 81;}server{listen 82;}", ["81", "82"]),
            ("server\n{\n  listen\n    81\n    default_server;\n}", ["81"]),
            ("server { server_name shop; }", ["80"]),
            ("server { }", ["80"]),
            (
                "server { listen 81; } server { root /srv; } server { listen 82; }",
                ["81", "80", "82"],
            ),
            ("server {\n  # listen 81;\n  listen 82; # listen 83;\n}", ["82"]),
            ("# server { listen 81; }", []),
            ("server { listen 81; # } server {\n}", ["81"]),
            ("server { root /srv/a#b; listen 81; }", ["81"]),
            ('server { add_header X "listen 81; }"; listen 82; }', ["82"]),
            ("server { add_header X 'server { listen 81; }'; listen 82; }", ["82"]),
            ('server { add_header X "a \\" } b"; listen 81; }', ["81"]),
            ("server { rewrite ^/don't$ /x; listen 81; rewrite ^/won't$ /y; }", ["81"]),
            (
                "server { listen \"81\"; listen 'unix:/run/shop.sock'; }",
                ["81", "unix:/run/shop.sock"],
            ),
            ("upstream shop { server 10.0.0.1; server 10.0.0.2:81; }", []),
            ("upstream server { server 10.0.0.1; }", []),
            ("upstream shop { server 10.0.0.1; } server { proxy_pass http://shop; }", ["80"]),
            ("server { location / { return 200; } listen 81; }", ["81"]),
            ("server { location /listen { if ($x) { return 404; } } }", ["80"]),
            ("server { location / { listen 81; } }", ["80"]),
            ("server { server_name listen; listen 81; }", ["81"]),
            ("server { server_name listen; }", ["80"]),
            ("http { server { listen 81; } } stream { server { listen 82 udp; } }", ["81", "82"]),
            ('server { location ~ "^/[0-9]{4}$" { return 200 ${host}; } listen 81; }', ["81"]),
            ("types { text/html html; } map $a $listen { default 80; }", []),
            ("", []),
        ],
    )
    def test_each_server_is_told_with_what_it_listens_on(
        self, text: str, listens: list[str], host: LocalHost, tmp_path: Path
    ) -> None:
        path = "/etc/nginx/conf.d/shop.conf"
        expected = {path: listens} if listens else {}
        assert self.told(host, tmp_path, (path, text)) == expected

    def test_each_is_told_by_its_file_wherever_that_is(
        self, host: LocalHost, tmp_path: Path
    ) -> None:
        files = {
            "/etc/nginx/nginx.conf": "http { server { listen 81; } include /srv/*/nginx.conf; }",
            "/etc/nginx/mime.types": "types { text/html html; }",
            "/srv/my shop/nginx.conf": "server { listen 82; }",
        }
        assert self.told(host, tmp_path, *files.items()) == {
            "/etc/nginx/nginx.conf": ["81"],
            "/srv/my shop/nginx.conf": ["82"],
        }

    @pytest.mark.parametrize(
        "comment",
        [
            "# configuration file of the shop",
            "# configuration file /etc/nginx/old.conf: see there",
            "  # configuration file /etc/nginx/old.conf:",
        ],
    )
    def test_comment_that_looks_like_the_next_file_is_none(
        self, comment: str, host: LocalHost, tmp_path: Path
    ) -> None:
        shop = ("/etc/nginx/conf.d/shop.conf", f"{comment}\nserver {{ listen 81; }}")
        assert self.told(host, tmp_path, shop) == {shop[0]: ["81"]}

    def test_packages_own_default_site_is_left_out(
        self, host: LocalHost, tmp_path: Path, nginx: Path, pages: Path
    ) -> None:
        default = str(nginx / "sites-enabled" / "default")
        assert self.told(host, tmp_path, (default, PACKAGED)) == {}
        (pages / "index.html").touch()
        assert self.told(host, tmp_path, (default, PACKAGED)) == {default: ["80", "[::]:80"]}

    @pytest.mark.parametrize("script", ["exit 127", "echo 'nginx: [emerg] no' >&2; exit 1"])
    def test_nginx_that_is_not_there_or_not_right_tells_nothing(
        self, script: str, host: LocalHost, tmp_path: Path
    ) -> None:
        write_program(tmp_path / "bin", "nginx", script)
        assert site_listens(host.read([LISTENS, DEFAULT])) == {}

    def test_nginx_is_not_asked_where_our_site_is_there(
        self, host: LocalHost, tmp_path: Path
    ) -> None:
        (tmp_path / "quartet/ours/etc/nginx/conf.d/quartet.conf").mkdir(parents=True)
        assert self.told(host, tmp_path, ("/etc/nginx/nginx.conf", "server { listen 80; }")) == {}

    @pytest.mark.parametrize(
        "place",
        ["quartet/ours/etc/haproxy", "quartet/shop/machines"],
        ids=["another role of ours", "labs"],
    )
    def test_nginx_is_asked_on_a_machine_that_is_new_to_the_role(
        self, place: str, host: LocalHost, tmp_path: Path
    ) -> None:
        (tmp_path / place).mkdir(parents=True)
        nginx = ("/etc/nginx/nginx.conf", "server { listen 80; }")
        assert self.told(host, tmp_path, nginx) == {nginx[0]: ["80"]}
