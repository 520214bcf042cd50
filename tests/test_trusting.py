"""Host keys: shown first, recorded after a yes, from real servers on the loopback."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from provision import trusting
from provision.connection import Access, Connection, HostKeyError, UnreachableError
from provision.errors import QuartetError
from provision.lab.base import Endpoint
from provision.lab.client import SshClient
from provision.topology import Topology
from tests.connection.ssh_parts import (
    KNOWN,
    MINE,
    OTHER,
    closed_port,
    endpoint_of,
    line_of,
    silent,
    write_key,
)
from tests.site_parts import TOPOLOGY
from tests.ssh_server import SshServer

SERVERS = {"web-01": KNOWN, "web-02": OTHER, "jump": OTHER}


class SomeServers:
    """A lab that knows how to reach its machines, and can do nothing else."""

    def __init__(self, endpoints: dict[str, Endpoint], client: SshClient) -> None:
        self._endpoints = endpoints
        self._client = client

    def endpoint(self, name: str) -> Endpoint:
        return self._endpoints[name]

    def ssh_config(self) -> Path:
        self._client.write_config(self._endpoints)
        if not self._client.known_hosts.exists():
            self._client.trust({})
        return self._client.config


class Person:
    """Gives one answer to all questions."""

    def __init__(self) -> None:
        self.answer = True
        self.questions: list[str] = []

    def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, SshServer]]:
    servers = {
        name: SshServer(client_key=MINE, host_key=key, programs=tmp_path / f"programs-{name}")
        for name, key in SERVERS.items()
    }
    yield servers
    for each in servers.values():
        each.stop()


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    path = tmp_path / "production.yml"
    return replace(TOPOLOGY, provider="ssh", path=path)


@pytest.fixture
def client(topology: Topology) -> SshClient:
    return SshClient(topology.state_folder)


@pytest.fixture
def endpoints(servers: dict[str, SshServer], tmp_path: Path) -> dict[str, Endpoint]:
    """web-01 directly, and web-02 over the jump host."""
    key = write_key(tmp_path / "id")
    jump = endpoint_of(servers["jump"], key)
    return {
        "web-01": endpoint_of(servers["web-01"], key),
        "web-02": endpoint_of(servers["web-02"], key, jump=jump),
    }


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    person = Person()
    monkeypatch.setattr(trusting, "confirm", person.confirm)
    return person


Trust = Callable[..., None]


@pytest.fixture
def trust(
    topology: Topology,
    client: SshClient,
    endpoints: dict[str, Endpoint],
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> Trust:
    monkeypatch.setenv("COLUMNS", "200")

    def trust(*names: str, yes: bool = False) -> None:
        lab = SomeServers(endpoints, client)
        trusting.trust(topology, lab, Access(client.known_hosts), names, yes=yes)  # type: ignore[arg-type]

    return trust


def _line(server: SshServer) -> str:
    return f"[127.0.0.1]:{server.port} {line_of(server.host_key)}"


def test_key_is_shown_and_recorded_after_a_yes(
    trust: Trust,
    client: SshClient,
    person: Person,
    servers: dict[str, SshServer],
    capsys: pytest.CaptureFixture[str],
) -> None:
    trust("web-01")
    shown = capsys.readouterr().out
    assert KNOWN.fingerprint in shown
    assert "new" in shown
    assert person.questions == ["Trust web-01? [y/N] "]
    assert client.known() == [_line(servers["web-01"])]
    assert servers["web-01"].commands == []
    assert silent(servers["web-01"])


def test_what_was_trusted_is_what_a_connection_expects(
    trust: Trust, client: SshClient, endpoints: dict[str, Endpoint]
) -> None:
    host = Connection("web-02", endpoints["web-02"], Access(client.known_hosts))
    trust("web-01")
    with pytest.raises(HostKeyError):
        host.open()
    trust("web-02", yes=True)
    access = Access(client.known_hosts)
    with Connection("web-02", endpoints["web-02"], access) as host:
        assert host.name == "web-02"
    access.close()


def test_second_time_there_is_nothing_to_confirm(
    trust: Trust, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    trust("web-01")
    capsys.readouterr()
    trust("web-01")
    assert "trusted already" in capsys.readouterr().out
    assert len(person.questions) == 1


def test_nothing_is_recorded_without_a_yes(
    trust: Trust, client: SshClient, person: Person, servers: dict[str, SshServer]
) -> None:
    person.answer = False
    with pytest.raises(QuartetError, match="not confirmed; these keys were not recorded"):
        trust("web-01", "web-02")
    assert client.known() == []
    assert len(person.questions) == 1
    assert silent(*servers.values())


def test_yes_in_advance_asks_nobody(trust: Trust, client: SshClient, person: Person) -> None:
    trust("web-01", yes=True)
    assert person.questions == []
    assert len(client.known()) == 1


def test_changed_key_is_told_and_replaces_the_old_one_after_a_yes_alone(
    trust: Trust,
    client: SshClient,
    person: Person,
    servers: dict[str, SshServer],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = servers["web-01"]
    old = f"[127.0.0.1]:{server.port} {line_of(OTHER)}"
    client.trust({})
    client.known_hosts.write_text(f"{old}\n")
    person.answer = False
    with pytest.raises(QuartetError):
        trust("web-01")
    assert "CHANGED since it was trusted" in capsys.readouterr().out
    assert client.known() == [old]
    person.answer = True
    trust("web-01")
    assert client.known() == [_line(server)]


def test_host_in_between_is_confirmed_before_those_behind_it_are_asked(
    trust: Trust, client: SshClient, person: Person, servers: dict[str, SshServer]
) -> None:
    trust("web-01", "web-02")
    jump = servers["jump"]
    assert person.questions == [
        f"Trust jump host 127.0.0.1:{jump.port}? [y/N] ",
        "Trust web-01, web-02? [y/N] ",
    ]
    assert sorted(client.known()) == sorted(_line(each) for each in servers.values())
    assert jump.destinations == [("127.0.0.1", servers["web-02"].port)]
    assert silent(*servers.values())


def test_machines_that_offer_no_key_are_all_told_and_nothing_recorded(
    trust: Trust, client: SshClient, endpoints: dict[str, Endpoint], person: Person, tmp_path: Path
) -> None:
    off = Endpoint("127.0.0.1", closed_port(), "quartet", (tmp_path / "id",))
    endpoints |= {"db-03": off}
    with pytest.raises(UnreachableError, match=r"^db-03: no host key is to be had"):
        trust("web-01", "db-03")
    assert person.questions == []
    assert client.known() == []


def test_keys_of_a_lab_are_recorded_when_it_is_booted(client: SshClient) -> None:
    with pytest.raises(QuartetError, match="the host keys of nspawn machines are recorded"):
        trusting.trust(TOPOLOGY, SomeServers({}, client), Access(client.known_hosts))  # type: ignore[arg-type]
    assert not client.folder.exists()
