"""Tasks about a system: the options they share, and errors that speak of the same file."""

from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from provision import console
from provision.connection import SudoPassword
from provision.console import reports_errors
from provision.errors import QuartetError
from provision.system import System, split
from provision.task import system_task
from tests.site_parts import ROOT


@system_task(help={"limit": "only these"}, positional=["name"])
def _tell(system: System, name: str, limit: str | None = None, plan: bool = False) -> None:
    """Tell what it was called with."""
    raise QuartetError(repr((system, name, limit, plan)), "was called", "./lab up --limit web-01")


def _message(**options: object) -> str:
    with pytest.raises(Exit) as caught:
        _tell(Context(), **options)
    assert caught.value.code == 1
    return str(caught.value.message)


def test_task_has_its_own_options_and_the_shared_ones() -> None:
    found = {argument.name: argument for argument in _tell.get_arguments()}
    assert set(found) == {"name", "limit", "plan", "topology", "provider"}
    assert found["name"].positional
    assert found["plan"].kind is bool
    assert found["limit"].help == "only these"
    assert found["topology"].help
    assert _tell.__doc__ == "Tell what it was called with."


def test_task_is_about_the_system_that_was_named() -> None:
    system = System("a.yml", "libvirt")
    message = _message(name="x", limit="web-01", topology="a.yml", provider="libvirt")
    assert repr((system, "x", "web-01", False)) in message


@pytest.mark.parametrize(
    ("topology", "command"),
    [
        ("", "./lab up --limit web-01"),
        ("production.yml", "./lab up --topology production.yml --limit web-01"),
        ("my servers.yml", "./lab up --topology 'my servers.yml' --limit web-01"),
        (r"odd\1.yml", r"./lab up --topology 'odd\1.yml' --limit web-01"),
    ],
)
def test_advised_command_is_about_the_same_file(topology: str, command: str) -> None:
    assert _message(name="x", topology=topology).endswith(f"  next: {command}")


def test_every_command_of_an_error_is_about_the_same_file() -> None:
    def action() -> None:
        raise QuartetError("x", "see `./lab status`", "`./lab power-cut`, then ./lab up")

    with pytest.raises(Exit) as caught:
        reports_errors(action, "p.yml")()
    assert str(caught.value.message).splitlines() == [
        "error: x: see `./lab status --topology p.yml`",
        "  next: `./lab power-cut --topology p.yml`, then ./lab up --topology p.yml",
    ]


@pytest.fixture
def system(tmp_path: Path) -> System:
    """Servers, described in a copy of topology.yml."""
    text = (ROOT / "topology.yml").read_text()
    text = text.replace("path: files/app", f"path: {ROOT}/files/app")
    path = tmp_path / "production.yml"
    path.write_text(text.replace("provider: nspawn", "provider: ssh"))
    return System(str(path))


def test_password_for_sudo_is_for_servers_alone(system: System, tmp_path: Path) -> None:
    assert system.provider == "ssh"
    assert isinstance(system.access.sudo, SudoPassword)
    assert system.access.known_hosts == tmp_path / ".quartet" / "production" / "known_hosts"
    assert System(str(ROOT / "topology.yml"), "nspawn").access.sudo is None


def test_limit_that_names_nobody_does_not_mean_everybody(system: System) -> None:
    assert system.limited_to(None) is None
    assert system.limited_to("web-01, db-03,") == ("web-01", "db-03")
    with pytest.raises(QuartetError, match="names no machine"):
        system.limited_to(" ,")
    assert split(" a,,b ") == ("a", "b")


@pytest.mark.parametrize(
    ("answer", "is_yes"), [("y", True), (" YES ", True), ("", False), ("n", False), ("yep", False)]
)
def test_only_a_yes_is_a_yes(answer: str, is_yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert console.confirm("sure?") is is_yes


@pytest.mark.parametrize("error", [EOFError(), OSError(6, "No such device or address")])
def test_without_a_terminal_a_secret_is_an_error_to_act_on(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: str) -> str:
        raise error

    monkeypatch.setattr("getpass.getpass", nobody)
    with pytest.raises(QuartetError, match=r"^sudo password of deploy: is wanted") as caught:
        console.ask_secret("sudo password of deploy (asked for once, not kept): ")
    assert "at a terminal" in caught.value.next_step
