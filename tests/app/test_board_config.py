import json
from pathlib import Path

import pytest
from board.config import Address, ConfigError, Settings
from board.topology import Topology

ENVIRONMENT = {
    "DATABASE_PRIMARY": "192.0.2.11:3306",
    "DATABASE_REPLICAS": "192.0.2.12:3306, 192.0.2.13:3307",
    "DATABASE_NAME": "board",
    "DATABASE_USER": "board",
    "DATABASE_PASSWORD": "hush",
    "DATABASE_CA": "/etc/ca.pem",
    "MACHINE_NAME": "web-01",
    "RELEASE_ID": "r1",
    "TOPOLOGY_JSON": "/etc/topology.json",
}


def test_a_complete_environment_is_read() -> None:
    settings = Settings.from_environment(ENVIRONMENT)
    assert settings.primary == Address("192.0.2.11", 3306)
    assert settings.replicas == (Address("192.0.2.12", 3306), Address("192.0.2.13", 3307))
    assert settings.ca == "/etc/ca.pem"


def test_the_password_is_not_shown() -> None:
    assert "hush" not in repr(Settings.from_environment(ENVIRONMENT))


def test_no_replicas_and_no_ca_is_fine() -> None:
    settings = Settings.from_environment(ENVIRONMENT | {"DATABASE_REPLICAS": "", "DATABASE_CA": ""})
    assert settings.replicas == ()
    assert settings.ca is None


def test_all_mistakes_are_reported_at_once() -> None:
    broken = ENVIRONMENT | {"DATABASE_REPLICAS": "one,two:2", "DATABASE_NAME": ""}
    del broken["DATABASE_PRIMARY"]
    with pytest.raises(ConfigError) as error:
        Settings.from_environment(broken)
    assert str(error.value) == (
        "environment: DATABASE_PRIMARY is missing; DATABASE_REPLICAS: 'one' is not HOST:PORT;"
        " DATABASE_NAME is missing"
    )


@pytest.mark.parametrize(
    "text", ["host", "host:", ":1", "host:0", "host:65536", "host:x", "::1:3", "a b:1", "h:²"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        Address.parse(text)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"machines": [{"name": "a"}]}'])
def test_an_unusable_topology_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "topology.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"TOPOLOGY_JSON: .*topology\.json"):
        Topology.load(str(path))


def test_a_topology_survives_the_round_trip(tmp_path: Path) -> None:
    data = {
        "domain": "foobar.com",
        "load_balancing": "active-passive",
        "machines": [{"name": "a", "address": "192.0.2.1", "roles": ["web"]}],
    }
    path = tmp_path / "topology.json"
    path.write_text(json.dumps(data))
    assert Topology.load(str(path)).as_json() == data
