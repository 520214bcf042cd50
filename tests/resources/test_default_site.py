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
    for name in ("_IS_PACKAGES_OWN", "ENABLED"):
        text = getattr(site, name).replace("/etc/nginx", str(etc))
        monkeypatch.setattr(site, name, text)
    monkeypatch.setattr(site, "ROOT", str(etc))
    return etc


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


def test_sites_are_told_with_what_they_listen_on(host: LocalHost, nginx: Path) -> None:
    (nginx / "conf.d" / "shop.conf").write_text(
        "server {\n  listen 8080;\n\tlisten 10.0.0.1:443 ssl;\n  # listen 1;\n}\n"
        "server { listen 81; listen [::]:82; } # listen 3;\n"
    )
    snapshot = host.read([LISTENS, DEFAULT])
    assert site_listens(snapshot) == {
        str(nginx / "conf.d" / "shop.conf"): ["8080", "10.0.0.1:443", "81", "[::]:82"]
    }


def test_changed_default_site_is_told_too(host: LocalHost, nginx: Path) -> None:
    (nginx / "sites-enabled" / "default").write_text("  listen 80;\n")
    listens = site_listens(host.read([LISTENS, DEFAULT]))
    assert listens == {str(nginx / "sites-enabled" / "default"): ["80"]}
