"""The password for sudo: asked for once, read by sudo alone, and given away no further."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from provision.connection import (
    Access,
    CommandFailedError,
    Connection,
    RunEndingError,
    SudoPassword,
)
from provision.errors import QuartetError
from provision.fleet import Fleet
from provision.polling import is_reached
from tests.connection.ssh_parts import (
    DEADLINE_S,
    endpoint_of,
    silent,
    threads_named,
    write_known_hosts,
)
from tests.local_host import write_program
from tests.ssh_server import SUDO, SshServer

PASSWORD = "correct horse 'battery' $HOME \\"  # with all that a shell might touch

MakeServer = Callable[[str], SshServer]


class Person:
    """Answers each question with the same words."""

    def __init__(self, answer: str = PASSWORD) -> None:
        self.questions: list[str] = []
        self._answer = answer

    def ask(self, question: str) -> str:
        self.questions.append(question)
        return self._answer


def answer_slowly(_: str) -> str:
    time.sleep(0.5)
    return PASSWORD


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def servers(server: SshServer, make_server: MakeServer) -> list[SshServer]:
    """Three machines whose sudo wants the password."""
    servers = [server, make_server("second"), make_server("third")]
    for each in servers:
        each.want_password(PASSWORD)
    return servers


@pytest.fixture
def access(server: SshServer, person: Person, tmp_path: Path) -> Access:
    known_hosts = write_known_hosts(tmp_path / "known_hosts", [server])
    return Access(known_hosts, SudoPassword(person.ask))


@pytest.fixture
def host(server: SshServer, access: Access, key: Path) -> Connection:
    """A machine, not connected to yet, whose sudo wants the password."""
    server.want_password(PASSWORD)
    return Connection("web-01", endpoint_of(server, key), access)


def test_password_is_asked_for_and_commands_run(
    host: Connection, server: SshServer, person: Person
) -> None:
    with host:
        assert host.run("echo hello") == "hello\n"
        assert host.run("echo again") == "again\n"
    assert person.questions == ["sudo password of quartet (asked for once, not kept): "]
    assert set(server.attempts) == {PASSWORD}


def test_command_gets_its_own_input_and_not_the_password(host: Connection) -> None:
    data = "first line\nquartet: go\n" + "x" * 100_000
    with host:
        assert host.run("cat", stdin=data.encode()) == data
        assert host.run("cat") == ""


def test_password_is_on_no_command_line_and_in_no_environment(
    host: Connection, server: SshServer
) -> None:
    with host:
        shown = host.run("env; cat /proc/$$/cmdline /proc/$PPID/cmdline | tr '\\0' ' '")
    assert "correct horse" not in shown
    assert not any("correct horse" in command for command in server.commands)


@pytest.mark.usefixtures("host")
def test_password_is_in_no_description(access: Access) -> None:
    assert access.sudo is not None
    access.sudo.unlock("web-01", "quartet", lambda _: True)
    assert access.sudo.known == PASSWORD
    assert "correct horse" not in repr(access)


def test_sudo_that_asks_nothing_is_given_no_password(
    host: Connection, server: SshServer, access: Access, person: Person
) -> None:
    write_program(server.programs, "sudo", SUDO)
    with host:
        assert host.run("cat") == ""
    assert person.questions == []
    assert access.sudo is not None
    assert access.sudo.known is None


def test_password_that_sudo_does_not_read_any_more_never_reaches_a_command(
    host: Connection, server: SshServer, tmp_path: Path
) -> None:
    """As where somebody grants sudo without a password in the middle of a run."""
    leak = tmp_path / "leak"
    with host:
        write_program(server.programs, "sudo", 'shift 5; exec "$@"')
        with pytest.raises(RunEndingError, match="took no password this time"):
            host.run(f"cat > {leak}", stdin=b"data")
    assert not leak.exists()


def test_sudo_that_asks_for_one_command_and_not_for_another_is_not_trusted(
    host: Connection, server: SshServer
) -> None:
    script = '[ "$1" = -n ] && { echo "sudo: a password is required" >&2; exit 1; }; shift 5'
    write_program(server.programs, "sudo", f'{script}; exec "$@"')
    with pytest.raises(RunEndingError, match="a password for one command and none for another"):
        host.open()


def test_wrong_password_is_tried_once_in_all(
    servers: list[SshServer], key: Path, tmp_path: Path
) -> None:
    known_hosts = write_known_hosts(tmp_path / "known_hosts", servers)
    person = Person("wrong")
    access = Access(known_hosts, SudoPassword(person.ask))
    endpoints = {f"web-{number}": endpoint_of(each, key) for number, each in enumerate(servers)}
    with (
        Fleet(endpoints, access) as fleet,
        pytest.raises(RunEndingError, match="sudo refused the password of quartet") as caught,
    ):
        fleet.connect()
    assert "several things" not in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert len(person.questions) == 1
    assert [line for each in servers for line in each.attempts] == ["wrong"]
    assert access.sudo is not None
    assert access.sudo.known is None


@pytest.mark.usefixtures("no_lock")
def test_password_is_asked_for_once_for_many_machines(
    servers: list[SshServer], person: Person, key: Path, tmp_path: Path
) -> None:
    known_hosts = write_known_hosts(tmp_path / "known_hosts", servers)
    access = Access(known_hosts, SudoPassword(person.ask))
    endpoints = {f"web-{number}": endpoint_of(each, key) for number, each in enumerate(servers)}
    with Fleet(endpoints, access) as fleet:
        answers = fleet.each(dict.fromkeys(endpoints, "cat"), lambda host, it: host.run(it))
    assert set(answers.values()) == {""}
    assert len(person.questions) == 1


@pytest.mark.usefixtures("no_lock")
def test_password_is_asked_for_while_it_is_found_out_who_can_be_reached(
    servers: list[SshServer], key: Path, tmp_path: Path
) -> None:
    known_hosts = write_known_hosts(tmp_path / "known_hosts", servers)
    access = Access(known_hosts, SudoPassword(answer_slowly))
    endpoints = {f"web-{number}": endpoint_of(each, key) for number, each in enumerate(servers)}
    with Fleet(endpoints, access) as fleet:
        found = fleet.reachable(list(endpoints), patience_s=DEADLINE_S)
    assert found == dict.fromkeys(endpoints)


def test_answer_takes_no_time_from_those_who_are_waited_for() -> None:
    sudo = SudoPassword(answer_slowly)
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(sudo.unlock, "web-01", "me", lambda _: True)
        sudo.serve([asking], within_s=0.3)
        assert asking.result(0.1) == PASSWORD


def test_who_is_slow_is_not_waited_for() -> None:
    sudo = SudoPassword(Person().ask)
    never: Future[None] = Future()
    done: Future[None] = Future()
    done.set_result(None)
    sudo.serve([never, done], until_first=True)
    sudo.serve([never, done], within_s=0.1)


def test_root_needs_no_sudo(server: SshServer, access: Access, person: Person, key: Path) -> None:
    write_program(server.programs, "sudo", "exit 64")
    with Connection("web-01", endpoint_of(server, key, user="root"), access) as host:
        assert host.run("echo hello") == "hello\n"
    assert person.questions == []
    assert [command.split()[0] for command in server.commands] == ["flock"]


@pytest.mark.parametrize(
    "words",
    [
        "sudo: a password is required",
        "sudo: interactive authentication is required",
        "sudo: Interaction is required",
    ],
    ids=["sudo", "sudo-rs", "newer sudo-rs"],
)
def test_sudo_says_in_several_ways_that_it_wants_a_password(
    words: str, host: Connection, server: SshServer, person: Person
) -> None:
    program = server.programs / "sudo"
    program.write_text(program.read_text().replace("sudo: a password is required", words))
    host.open()
    host.close()
    assert len(person.questions) == 1


def test_sudo_is_asked_in_english_whatever_the_machine_speaks(
    host: Connection, server: SshServer, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    program = server.programs / "sudo"
    german = program.read_text().replace("'sudo: a password is required'", '"$words"')
    words = "words='sudo: Ein Passwort ist notwendig'"
    english = "[ \"$LC_ALL\" != C ] || words='sudo: a password is required'"
    program.write_text(german.replace("\n", f"\n{words}\n{english}\n", 1))
    with host:
        assert host.run("echo hello") == "hello\n"
    assert len(person.questions) == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1", "must have a tty"),
        ("exit 127", "there is no sudo"),
    ],
)
def test_sudo_that_is_of_no_use_is_told_without_a_question(
    script: str, reason: str, host: Connection, server: SshServer, person: Person
) -> None:
    write_program(server.programs, "sudo", script)
    with pytest.raises(RunEndingError, match=reason) as caught:
        host.open()
    assert caught.value.where == "web-01"
    assert "usermod -aG sudo" in caught.value.next_step
    assert person.questions == []


@pytest.mark.parametrize(
    "words",
    [
        "quartet is not in the sudoers file.",
        "Sorry, user quartet is not allowed to execute '/usr/bin/sh' as root on web-01.",
        "sudo: I'm sorry quartet. I'm afraid I can't do that",
    ],
)
def test_right_password_of_a_user_who_may_not_is_no_wrong_password(
    words: str, host: Connection, server: SshServer
) -> None:
    program = server.programs / "sudo"
    right = program.read_text().replace('exec "$@"', f'{{ echo "{words}" >&2; exit 1; }}')
    program.write_text(right)
    with pytest.raises(RunEndingError, match="can't become root with sudo") as caught:
        host.open()
    assert "refused the password" not in str(caught.value)


def test_nothing_stays_open_where_nobody_becomes_root(host: Connection, server: SshServer) -> None:
    write_program(server.programs, "sudo", "exit 127")
    with pytest.raises(RunEndingError):
        host.open()
    assert silent(server)


def test_command_that_fails_under_sudo_keeps_its_own_status(host: Connection) -> None:
    with host, pytest.raises(CommandFailedError) as caught:
        host.run("echo sorry >&2; exit 3")
    assert caught.value.exit_code == 3
    assert "correct horse" not in str(caught.value)


def test_without_a_password_to_ask_for_sudo_has_to_need_none(
    host: Connection, server: SshServer, access: Access
) -> None:
    access.sudo = None
    with host, pytest.raises(CommandFailedError, match="a password is required") as caught:
        host.run("true")
    assert "sudo without a password" in caught.value.next_step
    assert server.attempts == []


class TestNobodyWaitsForEver:
    """For an answer that won't come, after an interrupt or an error."""

    @pytest.fixture
    def fleet_of(self, servers: list[SshServer], key: Path, tmp_path: Path) -> Callable[..., Fleet]:
        def fleet_of(ask: Callable[[str], str]) -> Fleet:
            known_hosts = write_known_hosts(tmp_path / "known_hosts", servers)
            endpoints = {f"web-{n}": endpoint_of(each, key) for n, each in enumerate(servers)}
            return Fleet(endpoints, Access(known_hosts, SudoPassword(ask)))

        return fleet_of

    @pytest.fixture(autouse=True)
    def nobody_is_left(self, servers: list[SshServer]) -> Iterator[None]:
        """In good time, and with no connection open and no thread behind."""
        begin, before = time.monotonic(), threads_named("ThreadPool")
        yield
        assert threads_named("ThreadPool") <= before
        assert silent(*servers)
        assert time.monotonic() - begin < DEADLINE_S

    def test_after_an_interrupt_at_the_question(
        self, fleet_of: Callable[..., Fleet], servers: list[SshServer]
    ) -> None:
        asked: list[str] = []

        def interrupt(question: str) -> str:
            asked.append(question)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), fleet_of(interrupt) as fleet:
            fleet.connect()
        assert len(asked) == 1
        assert [each.attempts for each in servers] == [[], [], []]

    def test_after_an_error_before_anybody_was_asked(
        self, fleet_of: Callable[..., Fleet], servers: list[SshServer]
    ) -> None:
        def fail_late() -> None:
            assert is_reached(lambda: all(each.commands for each in servers), within_s=DEADLINE_S)
            raise QuartetError("--only", "no such role")

        person = Person()
        with pytest.raises(QuartetError, match="no such role"), fleet_of(person.ask):
            fail_late()
        assert person.questions == []

    def test_after_an_error_while_connections_are_still_made(
        self, fleet_of: Callable[..., Fleet]
    ) -> None:
        with pytest.raises(QuartetError, match="no such role"), fleet_of(Person().ask):
            raise QuartetError("--only", "no such role")

    def test_after_a_question_that_could_not_be_put(self, fleet_of: Callable[..., Fleet]) -> None:
        """As without a terminal."""

        def fail(question: str) -> str:
            raise QuartetError("sudo", f"nobody to ask: {question}")

        with fleet_of(fail) as fleet:
            answers = fleet.each(dict.fromkeys(("web-0", "web-1", "web-2"), ""), lambda *_: "in")
        assert {type(each) for each in answers.values()} == {QuartetError}

    def test_who_asks_after_that_gets_an_error_and_no_question(self) -> None:
        person = Person()
        sudo = SudoPassword(person.ask)
        sudo.cancel()
        with ThreadPoolExecutor() as pool:
            waiting = [pool.submit(sudo.unlock, "web-01", "me", lambda _: True) for _ in range(3)]
            errors = [each.exception(DEADLINE_S) for each in waiting]
        assert {type(error) for error in errors} == {RunEndingError}
        assert {str(error).partition("\n")[0] for error in errors} == {
            "sudo: its password is wanted, and was not given"
        }
        assert person.questions == []
