"""Keys to log in with, as people have them: of all kinds, with a passphrase, several at once."""

import base64
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

from provision.connection import Access, Connection, UnreachableError
from provision.connection.identities import Identities
from provision.lab.base import Endpoint
from provision.polling import is_reached
from tests.connection.ssh_parts import DEADLINE_S, KNOWN, MINE, MY_TEXT, line_of, write_key
from tests.ssh_server import SshServer

PASSPHRASE = "correct horse"
# A key whose secret part is in a device: what ssh-keygen writes for it, with a made-up public part.
SK_TYPE = b"sk-ssh-ed25519@openssh.com"

Dial = Callable[..., None]


@pytest.fixture
def known_hosts(server: SshServer, tmp_path: Path) -> Path:
    path = tmp_path / "known_hosts"
    path.write_text(f"[127.0.0.1]:{server.port} {line_of(KNOWN)}\n")
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys, and no agent: never those of who runs the tests."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An agent of the tests' own, which has the key that the server lets in."""
    # A socket's path has to be short, so not below tmp_path.
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/agent"
        with subprocess.Popen(
            ["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL
        ) as agent:
            assert is_reached(Path(socket).exists, within_s=DEADLINE_S)
            monkeypatch.setenv("SSH_AUTH_SOCK", socket)
            subprocess.run(["ssh-add", "-q", str(write_key(tmp_path / "unlocked"))], check=True)
            yield socket
            agent.terminate()


@pytest.fixture
def dial(server: SshServer, known_hosts: Path) -> Dial:
    def dial(*keys: Path, agent: bool = True, identity_agent: str = "") -> None:
        endpoint = Endpoint(
            "127.0.0.1", server.port, "quartet", keys, agent=agent, identity_agent=identity_agent
        )
        with Connection("web-01", endpoint, Access(known_hosts)) as host:
            assert host.run("echo in") == "in\n"

    return dial


def _keygen(path: Path, *options: str) -> Path:
    argv = ["ssh-keygen", "-q", "-N", PASSPHRASE, "-f", str(path), *options]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path


def _pem(path: Path, form: PrivateFormat) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(
        serialization.Encoding.PEM,
        form,
        serialization.BestAvailableEncryption(PASSPHRASE.encode()),
    )
    return write_key(path, text.decode())


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _security_key(path: Path) -> Path:
    """As `ssh-keygen -t ed25519-sk` writes it, which needs the device."""
    point, application = b"\7" * 32, b"ssh:"
    public = _string(SK_TYPE) + _string(point) + _string(application)
    secret = b"\1\2\3\4" * 2 + public + b"\1" + _string(b"handle") + _string(b"") + _string(b"me")
    secret += bytes(range(1, 1 + -len(secret) % 8))
    data = b"openssh-key-v1\0" + _string(b"none") * 2 + _string(b"") + (1).to_bytes(4, "big")
    blob = data + _string(public) + _string(secret)
    text = base64.encodebytes(blob).decode().strip()
    return write_key(
        path, f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n"
    )


LOCKED: dict[str, Callable[[Path], Path]] = {
    "OpenSSH, Ed25519": lambda path: _keygen(path, "-t", "ed25519", "-a", "1"),
    "OpenSSH, RSA": lambda path: _keygen(path, "-t", "rsa", "-b", "2048", "-a", "1"),
    "OpenSSH, ECDSA": lambda path: _keygen(path, "-t", "ecdsa", "-a", "1"),
    "PEM by ssh-keygen": lambda path: _keygen(path, "-t", "rsa", "-b", "2048", "-m", "PEM"),
    "PKCS8 by ssh-keygen": lambda path: _keygen(path, "-t", "ecdsa", "-m", "PKCS8"),
    "PEM": lambda path: _pem(path, PrivateFormat.TraditionalOpenSSL),
    "PKCS8": lambda path: _pem(path, PrivateFormat.PKCS8),
    "security key": _security_key,
}


@pytest.fixture(params=LOCKED.values(), ids=list(LOCKED))
def locked(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A key that can't be used without more than its file."""
    path: Path = request.param(tmp_path / "locked")
    return path


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("asked", [True, False], ids=["agent", "IdentitiesOnly"])
def test_key_that_can_not_be_read_is_left_to_the_agent(
    asked: bool, locked: Path, dial: Dial
) -> None:
    dial(locked, agent=asked)


@pytest.mark.parametrize("asked", [True, False], ids=["agent", "IdentitiesOnly"])
def test_key_that_nobody_has_unlocked_is_named_with_what_to_do(
    asked: bool, locked: Path, dial: Dial
) -> None:
    with pytest.raises(UnreachableError, match="login refused") as caught:
        dial(locked, agent=asked)
    assert f"has it a passphrase? ssh-add {locked}" in caught.value.what


@pytest.mark.parametrize("text", ["no key at all", MY_TEXT[:200], ""])
def test_file_that_is_no_key_is_named_and_not_left_to_anybody(
    text: str, dial: Dial, tmp_path: Path
) -> None:
    with pytest.raises(UnreachableError, match=f"the key {tmp_path / 'odd'}: "):
        dial(write_key(tmp_path / "odd", text))


@pytest.mark.parametrize(
    ("key", "form"),
    [
        (rsa.generate_private_key(65537, 2048), PrivateFormat.TraditionalOpenSSL),
        (ec.generate_private_key(ec.SECP384R1()), PrivateFormat.OpenSSH),
        (ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL),
        (ed25519.Ed25519PrivateKey.generate(), PrivateFormat.OpenSSH),
    ],
    ids=["RSA", "ECDSA", "ECDSA, PEM", "Ed25519"],
)
def test_key_without_a_passphrase_logs_in_whatever_its_kind(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    form: PrivateFormat,
    dial: Dial,
    server: SshServer,
    tmp_path: Path,
) -> None:
    text = key.private_bytes(serialization.Encoding.PEM, form, NoEncryption()).decode()
    path = write_key(tmp_path / "mine", text)
    server.client_key = paramiko.PKey.from_path(path)
    dial(path, agent=False)


class TestSeveralKeys:
    """They are offered in turn, with IdentitiesOnly too."""

    @pytest.fixture
    def mine(self, home: Path) -> Path:
        return write_key(home / ".ssh/id_ed25519")

    @pytest.fixture
    def strange(self, home: Path) -> Path:
        return _keygen(home / ".ssh/id_rsa", "-t", "rsa", "-b", "2048", "-N", "")

    @pytest.mark.parametrize("agent", [True, False])
    def test_the_one_that_is_let_in_is_found(
        self, agent: bool, dial: Dial, mine: Path, strange: Path
    ) -> None:
        dial(strange, mine, agent=agent)
        dial(mine, strange, agent=agent)

    def test_one_with_a_passphrase_is_no_obstacle(
        self, dial: Dial, mine: Path, locked: Path
    ) -> None:
        dial(locked, mine)

    def test_one_that_is_no_key_is_no_obstacle(
        self, dial: Dial, mine: Path, tmp_path: Path
    ) -> None:
        dial(write_key(tmp_path / "odd", "no key at all"), mine)

    def test_none_that_is_let_in_is_a_login_refused(self, dial: Dial, strange: Path) -> None:
        with pytest.raises(UnreachableError, match="login refused: Authentication failed"):
            dial(strange)

    def test_those_with_a_passphrase_are_named(
        self, dial: Dial, strange: Path, locked: Path
    ) -> None:
        with pytest.raises(UnreachableError, match=f"passphrase\\? ssh-add {locked}\\)"):
            dial(strange, locked)

    @pytest.mark.usefixtures("agent")
    def test_one_that_the_agent_has_too_is_offered_once(
        self, dial: Dial, mine: Path, strange: Path, server: SshServer
    ) -> None:
        server.users = ()
        with pytest.raises(UnreachableError, match="login refused"):
            dial(strange, mine)
        assert len(server.offers) == 2

    @pytest.mark.usefixtures("mine")
    def test_those_that_nobody_named_are_not_offered(self, dial: Dial, strange: Path) -> None:
        for keys in ((), (strange,)):
            with pytest.raises(UnreachableError, match="login refused"):
                dial(*keys)


class _Demanding:
    """A server's answers to one key after the other: what else it wants, or None for a refusal."""

    def __init__(self, *answers: list[str] | None, hangs_up: bool = False) -> None:
        self._answers = list(answers)
        self._hangs_up = hangs_up
        self.steps: list[str] = []

    def auth_publickey(self, _user: str, _key: paramiko.PKey) -> list[str]:
        self.steps.append("publickey")
        answer = self._answers.pop(0)
        if answer is None:
            raise paramiko.AuthenticationException
        return answer

    def auth_interactive_dumb(self, _user: str) -> None:
        self.steps.append("keyboard-interactive")

    def is_active(self) -> bool:
        return not self._hangs_up


@pytest.mark.parametrize(
    ("server", "steps"),
    [
        (_Demanding([]), ["publickey"]),
        (_Demanding(None, []), ["publickey", "publickey"]),
        (_Demanding(["publickey"], []), ["publickey", "publickey"]),
        (_Demanding(["keyboard-interactive"]), ["publickey", "keyboard-interactive"]),
    ],
)
def test_server_gets_as_much_as_it_wants(server: _Demanding, steps: list[str]) -> None:
    Identities("quartet", (MINE, KNOWN), (), "none").authenticate(server)  # type: ignore[arg-type]
    assert server.steps == steps


def test_server_that_hangs_up_is_offered_no_more() -> None:
    server = _Demanding(None, [], hangs_up=True)
    with pytest.raises(paramiko.AuthenticationException):
        Identities("quartet", (MINE, KNOWN), (), "none").authenticate(server)  # type: ignore[arg-type]
    assert server.steps == ["publickey"]


class TestIdentityAgent:
    """The agent of ssh's own configuration comes in the place of SSH_AUTH_SOCK's."""

    @pytest.fixture
    def elsewhere(self, agent: str, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.delenv("SSH_AUTH_SOCK")
        return agent

    def test_it_is_asked(self, elsewhere: str, dial: Dial) -> None:
        dial(identity_agent=elsewhere)

    def test_it_may_stand_in_a_variable(
        self, elsewhere: str, dial: Dial, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MY_AGENT", elsewhere)
        dial(identity_agent="$MY_AGENT")

    @pytest.mark.usefixtures("agent")
    def test_the_usual_one_has_a_name(self, dial: Dial) -> None:
        dial(identity_agent="SSH_AUTH_SOCK")

    @pytest.mark.usefixtures("agent")
    @pytest.mark.parametrize("other", ["none", "/no/such/agent"])
    def test_the_usual_one_is_not_asked_in_its_place(self, other: str, dial: Dial) -> None:
        with pytest.raises(UnreachableError, match="login refused"):
            dial(identity_agent=other)
