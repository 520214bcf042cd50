"""What ssh itself would do, asked of the real `ssh -G` with a configuration of the tests' own."""

import shutil
from pathlib import Path

import pytest

from provision.errors import QuartetError
from provision.lab import ssh_settings
from provision.lab.base import Endpoint
from provision.lab.ssh_settings import Login, endpoint_for
from tests.local_host import write_program

CONFIG = """\
Host web
  HostName 10.9.8.11
  User deploy
  Port 2222
  IdentityFile {folder}/missing
  IdentityFile {folder}/first
  IdentityFile {folder}/second
Host strict
  IdentityFile {folder}/second
  IdentitiesOnly yes
Host inner
  HostName 10.9.8.12
  ProxyJump ops@bastion:2200
Host bastion
  HostName bastion.example.org
Host far
  ProxyJump outer,bastion
Host six
  ProxyJump [2001:db8::1]:2200
Host tunnel
  ProxyCommand relay %h %p 2>/dev/null
Host by-name
  HostName 10.9.8.13
  ProxyCommand relay %n %h 100%%n
Host guarded
  IdentityAgent "/run/an agent"
Host unattended
  IdentityAgent none
Host round
  ProxyJump about
Host about
  ProxyJump round
Host alone
  ProxyJump none
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration is that an `ssh` on the PATH reads in place of the user's own."""
    for name in ("first", "second"):
        (tmp_path / name).touch()
    config = tmp_path / "config"
    config.write_text(CONFIG.format(folder=tmp_path))
    real = shutil.which("ssh")
    if real is None:
        pytest.skip("ssh is not on this host")
    programs = write_program(tmp_path / "bin", "ssh", f'exec {real} -F {config} "$@"').parent
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return tmp_path


def _endpoint(host: str, **login: object) -> Endpoint:
    return endpoint_for("web-01", Login(host, **login))  # type: ignore[arg-type]


def test_users_configuration_decides_what_the_topology_leaves_open(folder: Path) -> None:
    keys = (folder / "first", folder / "second")
    assert _endpoint("web") == Endpoint("10.9.8.11", 2222, "deploy", keys, agent=True)


def test_topology_comes_before_the_users_configuration(folder: Path) -> None:
    endpoint = _endpoint("web", user="root", port=22, key=folder / "second")
    assert endpoint == Endpoint("10.9.8.11", 22, "root", (folder / "second",), agent=True)


class TestUsualKeys:
    """Those of ~/.ssh that ssh tries where the configuration names none."""

    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A home of the tests' own; ssh itself asks passwd for it, so it is told in the file."""
        home = tmp_path / "home"
        (home / ".ssh").mkdir(parents=True)
        monkeypatch.setenv("HOME", str(home))
        usual = "".join(f"  IdentityFile {home}/.ssh/{name}\n" for name in ("id_rsa", "id_ed25519"))
        with (tmp_path / "config").open("a") as config:
            config.write(f"Host usual mixed\n{usual}Host mixed\n  IdentityFile {tmp_path}/first\n")
        return home / ".ssh"

    def test_several_are_all_tried_as_ssh_does(self, home: Path) -> None:
        for name in ("id_rsa", "id_ed25519"):
            (home / name).touch()
        endpoint = _endpoint("usual")
        assert (endpoint.keys, endpoint.agent) == ((home / "id_rsa", home / "id_ed25519"), True)

    def test_only_one_is_it(self, home: Path) -> None:
        (home / "id_ed25519").touch()
        assert _endpoint("usual").keys == (home / "id_ed25519",)

    def test_none_is_none(self) -> None:
        assert _endpoint("usual").keys == ()

    def test_one_that_is_elsewhere_has_its_place_among_them(self, home: Path, folder: Path) -> None:
        (home / "id_ed25519").touch()
        assert _endpoint("mixed").keys == (home / "id_ed25519", folder / "first")

    def test_keys_of_one_host_come_before_those_of_all(self, home: Path, folder: Path) -> None:
        for name in ("prod_key", "id_ed25519"):
            (home / name).touch()
        (folder / "config").write_text(
            f"Host prod\n  IdentityFile {home}/prod_key\n  IdentitiesOnly yes\n"
            f"Host *\n  IdentityFile {home}/id_ed25519\n"
        )
        endpoint = _endpoint("prod")
        assert (endpoint.keys, endpoint.agent) == (
            (home / "prod_key", home / "id_ed25519"),
            False,
        )

    def test_one_of_the_topology_comes_before_them(self, home: Path, folder: Path) -> None:
        for name in ("id_rsa", "id_ed25519"):
            (home / name).touch()
        assert _endpoint("usual", key=folder / "second").keys == (folder / "second",)


def test_agent_is_left_alone_where_the_configuration_says_so(folder: Path) -> None:
    endpoint = _endpoint("strict")
    assert (endpoint.keys, endpoint.agent) == ((folder / "second",), False)


def test_jump_host_of_the_configuration_is_resolved_like_any_other() -> None:
    endpoint = _endpoint("inner", user="deploy")
    assert endpoint.host == "10.9.8.12"
    assert endpoint.proxy_command == ""
    jump = endpoint.jump
    assert jump is not None
    assert (jump.host, jump.port, jump.user, jump.jump) == (
        "bastion.example.org",
        2200,
        "ops",
        None,
    )


def test_jump_host_of_the_topology_comes_before_a_proxy_command(folder: Path) -> None:
    endpoint = _endpoint("tunnel", jump="me@10.1.1.1:2300", key=folder / "second")
    jump = endpoint.jump
    assert endpoint.proxy_command == ""
    assert jump is not None
    assert (jump.user, jump.host, jump.port) == ("me", "10.1.1.1", 2300)
    assert jump.keys == (folder / "second",)


def test_nearest_of_several_jump_hosts_is_reached_over_the_others() -> None:
    for endpoint in (_endpoint("far"), _endpoint("elsewhere", jump="outer,bastion")):
        nearest = endpoint.jump
        assert nearest is not None
        assert nearest.host == "bastion.example.org"
        assert nearest.jump is not None
        assert nearest.jump.host == "outer"


def test_no_jump_host_is_none() -> None:
    assert _endpoint("alone").jump is None


def test_proxy_command_is_kept_as_it_is() -> None:
    endpoint = _endpoint("tunnel")
    assert endpoint.proxy_command == "relay %h %p 2>/dev/null"
    assert endpoint.jump is None


def test_name_that_was_asked_for_is_put_into_a_proxy_command() -> None:
    assert _endpoint("by-name").proxy_command == "relay by-name %h 100%%n"


@pytest.mark.parametrize(
    ("host", "agent"), [("guarded", "/run/an agent"), ("unattended", "none"), ("web", "")]
)
def test_agent_that_the_configuration_names_is_kept(host: str, agent: str) -> None:
    assert _endpoint(host).identity_agent == agent


def test_jump_host_by_its_ipv6_address_is_understood() -> None:
    jump = _endpoint("six").jump
    assert jump is not None
    assert (jump.host, jump.port) == ("2001:db8::1", 2200)


def test_circle_of_jump_hosts_is_found() -> None:
    with pytest.raises(QuartetError, match="more than 8 jump hosts") as caught:
        _endpoint("round")
    assert caught.value.where.startswith("web-01: its jump host about")
    assert "circle" in caught.value.next_step


def test_key_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(QuartetError, match=f"there is no key {folder}/missing") as caught:
        _endpoint("web", key=folder / "missing")
    assert caught.value.where == "web-01"


@pytest.mark.parametrize("jump", ["a@b@c", "host:port", ""])
def test_jump_host_that_is_none_is_refused(jump: str) -> None:
    with pytest.raises(QuartetError, match=r"is not \[USER@\]HOST\[:PORT\]"):
        _endpoint("web", jump=f"bastion,{jump}")


def test_mistake_in_the_users_configuration_is_told(folder: Path) -> None:
    (folder / "config").write_text("Host web\n  Prot 22\n")
    with pytest.raises(QuartetError, match="Bad configuration option: prot") as caught:
        _endpoint("web")
    assert "~/.ssh/config" in caught.value.next_step


def test_configuration_that_runs_something_slow_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_settings, "ANSWER_WITHIN_S", 0.2)
    write_program(folder / "bin", "ssh", "exec sleep 60")
    with pytest.raises(QuartetError, match="`ssh -G web` takes too long"):
        _endpoint("web")


def test_host_without_ssh_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QuartetError, match="there is no ssh here") as caught:
        _endpoint("web")
    assert "openssh-client" in caught.value.next_step
