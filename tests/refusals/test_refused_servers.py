"""A server that isn't of Debian's kind, or isn't the one that the file means."""

import pytest

from tests.refusals.refusal_parts import Server, refused
from tests.site_parts import TOPOLOGY

ADDRESSES = """\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eth0    inet {} brd 192.168.56.255 scope global eth0\\       valid_lft forever
"""


def test_distribution_without_apt_is_refused() -> None:
    (what,) = refused("lb-01", distribution="family=rocky\ntitle=Rocky Linux 9\n")
    assert what == "runs Rocky Linux 9; Quartet installs Debian packages"
    assert refused("lb-01", distribution="") == []


def test_address_that_is_not_the_servers_is_refused() -> None:
    (what,) = refused("web-01", addresses="127.0.0.1/8\n10.9.8.7/24\n")
    assert what.startswith("has no address 192.168.56.11; the server we logged in to has 127.0.0.1")
    assert what.endswith("10.9.8.7")


@pytest.mark.parametrize("addresses", ["127.0.0.1/8\n192.168.56.11/24\n10.9.8.7/24\n", ""])
def test_server_that_has_it_among_others_or_can_not_tell_is_right(addresses: str) -> None:
    assert refused("web-01", addresses=addresses) == []


@pytest.mark.parametrize(
    ("shown", "is_right"),
    [
        ("192.168.56.11/24", True),
        ("192.168.56.11 peer 10.0.0.1/32", True),
        ("192.168.56.1/24", False),
        ("192.168.56.111/24", False),
    ],
)
def test_what_ip_says_is_read(shown: str, is_right: bool, server: Server) -> None:
    server.says("ip", ADDRESSES.format(shown))
    assert (server.refused("web-01") == []) is is_right


def test_server_of_another_address_is_refused_though_it_is_ours(server: Server) -> None:
    """Two machines with each other's login would else be provisioned as each other."""
    server.folder("/var/lib/quartet/ours")
    server.says("ip", ADDRESSES.format("192.168.56.12/24"))
    assert len(server.refused("web-01")) == 1
    assert server.refused("web-02") == []


def test_machine_like_those_of_the_lab_is_not_refused() -> None:
    for machine in TOPOLOGY.machines:
        assert refused(machine.name, addresses=f"{machine.address}/24\n") == []
