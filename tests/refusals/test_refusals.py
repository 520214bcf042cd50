"""What forbids to change anything, all together."""

import pytest

from provision.refusals import refusals
from tests.refusals.refusal_parts import Server, refused
from tests.site_parts import TOPOLOGY

SHOP = "# configuration file /etc/nginx/sites-enabled/shop:\nserver { listen 80; }\n"
TAKEN = 'LISTEN 0 128 *:80 *:* users:(("apache2",pid=7,fd=3))\n'


@pytest.mark.parametrize("name", [machine.name for machine in TOPOLOGY.machines])
def test_machine_like_those_of_the_lab_is_not_refused(name: str, server: Server) -> None:
    assert refused(name) == []
    assert server.refused(name) == []


def test_everything_in_the_way_is_told_at_once() -> None:
    said = refused(
        "web-01",
        addresses="10.9.8.7/24\n",
        server_package="installed=mariadb-server\n",
        listeners=TAKEN,
        sites=SHOP,
        paths=("/srv/app",),
    )
    assert len(said) == 5


def test_everything_in_the_way_is_told_in_one_round_trip(server: Server) -> None:
    server.says("ip", "2: eth0    inet 10.9.8.7/24 scope global eth0")
    server.says("dpkg-query", "mariadb-server ii ")
    server.says("ss", TAKEN)
    server.says("nginx", SHOP)
    server.folder("/srv/app")
    assert len(server.refused("web-01")) == 5


def test_machine_that_did_not_answer_is_not_judged() -> None:
    assert refusals(TOPOLOGY, {}) == []
