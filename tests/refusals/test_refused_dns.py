"""An NSD that somebody set up."""

import hashlib

import pytest

from provision.roles import dns, haproxy
from tests.refusals.refusal_parts import NOTES, Server, noted, refused

SETTINGS = "/etc/nsd/nsd.conf"
SHOP = "/etc/nsd/nsd.conf.d/shop.conf"
PACKAGED = 'server:\n    log-only-syslog: yes\ninclude: "/etc/nsd/nsd.conf.d/*.conf"\n'


@pytest.fixture
def nsd(server: Server) -> Server:
    """A server with NSD as its package brings it."""
    digest = hashlib.md5(PACKAGED.encode()).hexdigest()  # noqa: S324 as dpkg has it
    server.says("dpkg-query", f" {server.file(SETTINGS, PACKAGED)} {digest}")
    return server


def test_settings_of_somebody_else_are_told() -> None:
    (what,) = refused("lb-01", name_server=f"{SETTINGS}\n{SHOP}\n")
    assert what.startswith(f"its NSD is somebody's own ({SETTINGS}, {SHOP});")


def test_settings_beside_ours_are_their_owners_business() -> None:
    assert refused("lb-01", name_server=SHOP, paths=noted(dns.CONFIG)) == []
    assert len(refused("lb-01", name_server=SHOP, paths=noted(haproxy.CONFIG))) == 1


def test_machine_without_the_role_may_have_any() -> None:
    assert refused("web-01", name_server=SHOP) == []


def test_server_as_the_package_brought_it_is_no_obstacle(nsd: Server) -> None:
    assert nsd.refused("lb-01") == []


def test_changed_settings_are_somebodys_own(nsd: Server) -> None:
    nsd.file(SETTINGS, f"{PACKAGED}zone:\n    name: shop.example.com\n")
    (what,) = nsd.refused("lb-01")
    assert SETTINGS in what


@pytest.mark.parametrize("path", [SHOP, dns.CONFIG])
def test_file_that_is_included_is_somebodys_own_until_ours_is_noted(path: str, nsd: Server) -> None:
    nsd.file(path, "zone:\n    name: shop.example.com\n")
    (what,) = nsd.refused("lb-01")
    assert what.startswith(f"its NSD is somebody's own ({path});")
    nsd.file(f"{NOTES}{dns.CONFIG}")
    assert nsd.refused("lb-01") == []


def test_file_that_is_not_included_is_no_obstacle(nsd: Server) -> None:
    nsd.file(f"{SHOP}.old", "zone:\n    name: shop.example.com\n")
    nsd.file("/etc/nsd/shop.zone")
    assert nsd.refused("lb-01") == []


def test_settings_that_no_package_brought_are_somebodys_own(server: Server) -> None:
    server.file(SETTINGS, PACKAGED)
    assert len(server.refused("lb-01")) == 1


def test_haproxy_of_somebody_is_told_on_the_same_machine(nsd: Server) -> None:
    nsd.file(SHOP)
    nsd.file(haproxy.CONFIG, "global\n")
    assert len(nsd.refused("lb-01")) == 2
