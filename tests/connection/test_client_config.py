"""What one command writes for ssh, the next one reads: both mean the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from provision.connection import UnreachableError, endpoints
from provision.errors import QuartetError
from provision.lab.base import Endpoint
from provision.lab.client import SshClient

KEY = Path("/home/a person/.ssh/id_ed25519")
PLAIN = Endpoint("10.9.8.11", 2222, "deploy", (KEY,))


@pytest.fixture
def client(tmp_path: Path) -> SshClient:
    return SshClient(tmp_path / ".quartet")


@pytest.mark.parametrize(
    "endpoint",
    [
        PLAIN,
        replace(PLAIN, keys=(), agent=True),
        replace(PLAIN, keys=(KEY, Path("/home/b/id_rsa"))),
        replace(PLAIN, agent=True),
        replace(PLAIN, jump=Endpoint("bastion.example.org", 22, "ops", agent=True)),
        replace(PLAIN, jump=Endpoint("b", 22, "ops", (KEY,), jump=Endpoint("outer", 2200, "me"))),
        replace(PLAIN, proxy_command="cloud tunnel --port 22 2>/dev/null"),
        replace(PLAIN, identity_agent="/home/a person/agent.sock"),
        replace(PLAIN, identity_agent="none"),
    ],
    ids=[
        "key",
        "agent",
        "several keys",
        "both",
        "jump",
        "two jumps",
        "proxy command",
        "another agent",
        "no agent",
    ],
)
def test_way_to_a_machine_is_read_as_it_was_written(endpoint: Endpoint, client: SshClient) -> None:
    client.write_config({"web-01": endpoint, "web-02": PLAIN})
    found = endpoints(client.config, ["web-01", "web-02"])
    assert found == {"web-01": endpoint, "web-02": PLAIN}


def test_host_and_port_are_put_into_a_proxy_command(client: SshClient) -> None:
    client.write_config({"web-01": replace(PLAIN, proxy_command="relay %r@%h:%p")})
    (found,) = endpoints(client.config, ["web-01"]).values()
    assert isinstance(found, Endpoint)
    assert found.proxy_command == "relay deploy@10.9.8.11:2222"


def test_machine_that_is_not_written_there_has_to_be_booted_first(client: SshClient) -> None:
    client.write_config({"web-01": PLAIN})
    found = endpoints(client.config, ["web-01", "web-02"])["web-02"]
    assert isinstance(found, UnreachableError)
    assert found.next_step == "./lab up --limit web-02"


def test_without_a_configuration_nothing_is_up(client: SshClient) -> None:
    with pytest.raises(QuartetError, match="the lab: is not up"):
        endpoints(client.config, ["web-01"])
