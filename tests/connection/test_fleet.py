"""All machines at once: each answers for itself, or says why it can't."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.connection import (
    Access,
    CommandFailedError,
    Connection,
    HostKeyError,
    UnreachableError,
)
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.lab.base import Endpoint
from tests.connection.ssh_parts import closed_port, endpoint_of, silent, write_known_hosts
from tests.site_parts import TOPOLOGY
from tests.ssh_server import SshServer

pytestmark = pytest.mark.usefixtures("no_lock")

DATABASES = [machine.name for machine in TOPOLOGY.databases]


@pytest.fixture
def fleet(server: SshServer, key: Path, tmp_path: Path) -> Iterator[Fleet]:
    """All machines are the one server; db-03 is off."""
    off = closed_port()
    ports = {m.name: off if m.name == "db-03" else server.port for m in TOPOLOGY.machines}
    endpoints = {name: endpoint_of(server, key, port=port) for name, port in ports.items()}
    known_hosts = write_known_hosts(tmp_path / "known_hosts", [server])
    with Fleet(endpoints, Access(known_hosts)) as fleet:
        yield fleet


def test_each_machine_answers_for_itself_or_says_why_not(fleet: Fleet) -> None:
    scripts = {"lb-01": "echo lb", "web-01": "exit 3", "db-03": "echo db"}
    answers = fleet.each(scripts, lambda host, script: host.run(script))
    assert list(answers) == ["lb-01", "web-01", "db-03"]
    assert answers["lb-01"] == "lb\n"
    assert isinstance(answers["web-01"], CommandFailedError)
    assert isinstance(answers["db-03"], UnreachableError)
    assert str(answers["db-03"]).startswith("db-03: ")


def test_nobody_asked_is_nothing_done(fleet: Fleet, server: SshServer) -> None:
    nothing: dict[str, str] = {}
    assert fleet.each(nothing, lambda host, script: host.run(script)) == {}
    assert server.commands == []


def test_answers_are_waited_for_by_who_wants_them(fleet: Fleet) -> None:
    go = threading.Event()
    asked = fleet.ask(
        {"lb-01": "echo lb", "db-03": ""}, lambda host, it: go.wait(9) and host.run(it)
    )
    assert not asked["lb-01"].done()
    go.set()
    answers = fleet.collect(asked)
    assert answers["lb-01"] == "lb\n"
    assert isinstance(answers["db-03"], UnreachableError)


def test_connections_are_found_by_name(fleet: Fleet) -> None:
    assert fleet["web-02"].name == "web-02"


def test_unexpected_exception_is_not_swallowed(fleet: Fleet) -> None:
    def crash(host: Connection, script: str) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fleet.each({"lb-01": ""}, crash)


def test_connecting_waits_for_all_and_lets_a_machine_be_off(
    fleet: Fleet, server: SshServer
) -> None:
    fleet.connect()
    assert server.logins == len(TOPOLOGY.machines) - 1
    assert fleet["lb-01"].run("echo here") == "here\n"
    answers = fleet.each({"db-03": "echo db"}, lambda host, script: host.run(script))
    assert str(answers["db-03"]).startswith("db-03: can't be reached")


def test_connecting_ends_the_run_where_a_machine_is_not_who_it_was(
    server: SshServer, key: Path, tmp_path: Path
) -> None:
    """Who is off may be left out; who shows another key may not."""
    (known_hosts := tmp_path / "known_hosts").touch()
    endpoints = {
        "web-01": endpoint_of(server, key, port=closed_port()),
        "web-02": endpoint_of(server, key),
    }
    with (
        Fleet(endpoints, Access(known_hosts)) as fleet,
        pytest.raises(HostKeyError, match=r"^web-02: its host key is not known yet"),
    ):
        fleet.connect()


def test_connecting_lets_a_machine_be_that_was_never_booted(tmp_path: Path) -> None:
    reason = UnreachableError("web-02", "has not been booted yet")
    with Fleet({"web-02": reason}, Access(tmp_path / "known_hosts")) as fleet:
        fleet.connect()


def test_machine_that_was_not_booted_says_so(server: SshServer, key: Path, tmp_path: Path) -> None:
    reason = UnreachableError("web-02", "has not been booted yet")
    known_hosts = write_known_hosts(tmp_path / "known_hosts", [server])
    endpoints: dict[str, Endpoint | QuartetError] = {
        "web-01": endpoint_of(server, key),
        "web-02": reason,
    }
    with Fleet(endpoints, Access(known_hosts)) as fleet:
        answers = fleet.each(dict.fromkeys(endpoints, ""), lambda host, _: host.name)
    assert answers == {"web-01": "web-01", "web-02": reason}


def test_fleet_hangs_up_also_where_nobody_has_waited_for_it(
    server: SshServer, key: Path, tmp_path: Path
) -> None:
    known_hosts = write_known_hosts(tmp_path / "known_hosts", [server])
    endpoints = {f"web-{number}": endpoint_of(server, key) for number in range(8)}
    with pytest.raises(QuartetError, match="no such role"), Fleet(endpoints, Access(known_hosts)):
        raise QuartetError("--only", "no such role")
    assert server.logins
    assert silent(server)


def test_machines_that_are_connected_or_off_say_so(fleet: Fleet) -> None:
    found = fleet.reachable(["web-01", "db-03", "lb-01"], patience_s=10)
    assert set(found) == {"web-01", "db-03", "lb-01"}
    assert found["web-01"] is found["lb-01"] is None
    assert isinstance(found["db-03"], UnreachableError)


class Slow:
    """Machines whose connections come about only when they are let, and how that ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gates = {name: threading.Event() for name in DATABASES}
        self.errors: dict[str, Exception] = {}
        # As a function of its own: a method of this class would not be bound to the connection.
        monkeypatch.setattr(Connection, "open", lambda each: self._open(each))  # noqa: PLW0108
        monkeypatch.setattr(Connection, "close", lambda connection: None)

    def _open(self, connection: Connection) -> None:
        assert self.gates[connection.name].wait(10)
        if connection.name in self.errors:
            raise self.errors[connection.name]

    def let(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()

    def fleet(self, folder: Path, **unknown: QuartetError) -> Fleet:
        known = {
            name: Endpoint("127.0.0.1", 22, "quartet") for name in DATABASES if name not in unknown
        }
        return Fleet({**known, **unknown}, Access(folder / "known_hosts"))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    slow = Slow(monkeypatch)
    yield slow
    slow.let(*DATABASES)


def test_slow_machine_is_not_waited_for_once_half_are_there(slow: Slow, tmp_path: Path) -> None:
    first, second, third = DATABASES
    with slow.fleet(tmp_path) as fleet:
        slow.let(first, second)
        began = time.monotonic()
        assert fleet.reachable(DATABASES, patience_s=0.1) == {first: None, second: None}
        assert time.monotonic() - began < 5
        slow.let(third)


def test_slow_machines_are_waited_for_until_half_are_there(slow: Slow, tmp_path: Path) -> None:
    first, second, third = DATABASES
    slow.errors[third] = UnreachableError(third, "is off")
    with slow.fleet(tmp_path) as fleet:
        slow.let(first, third)
        threading.Timer(0.3, slow.let, [second]).start()
        found = fleet.reachable(DATABASES, patience_s=0)
        # The one that is off is no help.
        assert found == {first: None, second: None, third: slow.errors[third]}


def test_where_nobody_is_there_all_reasons_are_told(slow: Slow, tmp_path: Path) -> None:
    reasons = {name: UnreachableError(name, "is off") for name in DATABASES}
    slow.errors |= {name: reasons[name] for name in DATABASES[1:]}
    slow.let(*DATABASES)
    first = DATABASES[0]
    with slow.fleet(tmp_path, **{first: reasons[first]}) as fleet:
        assert fleet.reachable(DATABASES, patience_s=0) == reasons


def test_mistake_of_our_own_is_no_machine_that_is_off(slow: Slow, tmp_path: Path) -> None:
    slow.errors[DATABASES[0]] = ZeroDivisionError()
    slow.let(*DATABASES)
    with slow.fleet(tmp_path) as fleet, pytest.raises(ZeroDivisionError):
        fleet.reachable(DATABASES, patience_s=1)
