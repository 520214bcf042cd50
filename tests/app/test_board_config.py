import json
from pathlib import Path

import pytest
from board.config import Address, ConfigError, Settings
from board.topology import Topology

ENVIRONMENT = {
    "DATABASE_WRITES": "127.0.0.1:6446",
    "DATABASE_READS": "127.0.0.1:6447",
    "DATABASE_SERVERS": "192.0.2.12:3306, 192.0.2.13:3307",
    "DATABASE_NAME": "board",
    "DATABASE_USER": "board",
    "DATABASE_PASSWORD": "hush",
    "DATABASE_CA": "/etc/ca.pem",
    "FRESH_READS": "on",
    "SESSION_SECRET": "whisper",
    "MACHINE_NAME": "web-01",
    "RELEASE_ID": "r1",
    "TOPOLOGY_JSON": "/etc/topology.json",
}


def test_a_complete_environment_is_read() -> None:
    settings = Settings.from_environment(ENVIRONMENT)
    assert settings.writes == Address("127.0.0.1", 6446)
    assert settings.reads == Address("127.0.0.1", 6447)
    assert settings.servers == (Address("192.0.2.12", 3306), Address("192.0.2.13", 3307))
    assert settings.ca == "/etc/ca.pem"
    assert settings.fresh_reads


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings.from_environment(ENVIRONMENT))
    assert "hush" not in shown
    assert "whisper" not in shown


def test_no_ca_and_no_fresh_reads_is_fine() -> None:
    settings = Settings.from_environment(ENVIRONMENT | {"FRESH_READS": "off", "DATABASE_CA": ""})
    assert not settings.fresh_reads
    assert settings.ca is None


def test_all_mistakes_are_reported_at_once() -> None:
    broken = ENVIRONMENT | {"DATABASE_SERVERS": "one,two:2", "FRESH_READS": "yes"}
    broken |= {"SESSION_SECRET": "", "DATABASE_READS": "h:0"}
    del broken["DATABASE_WRITES"]
    with pytest.raises(ConfigError) as error:
        Settings.from_environment(broken)
    assert str(error.value) == (
        "environment: DATABASE_WRITES is missing; DATABASE_READS: 'h:0' is not HOST:PORT;"
        " DATABASE_SERVERS: 'one' is not HOST:PORT; FRESH_READS: 'yes' is neither on nor off;"
        " SESSION_SECRET is missing"
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
