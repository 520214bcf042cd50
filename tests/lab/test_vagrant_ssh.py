"""What `vagrant ssh-config` says becomes endpoints."""

import socket
from pathlib import Path

import pytest

from provision.lab.base import Endpoint
from provision.lab.vagrant_ssh import accepts, endpoints_in

# As Vagrant 2.3.4 prints it, with a path that has a space in it.
SAID = """\
Host lb-01
  HostName 192.168.121.31
  User vagrant
  Port 22
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  PasswordAuthentication no

  IdentityFile "{folder}/my lab/private_key"

  IdentitiesOnly yes
  LogLevel FATAL

Host web-01
  HostName 127.0.0.1
  User vagrant
  Port 2200
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  PasswordAuthentication no

  IdentityFile {folder}/vagrant.key.ed25519

  IdentityFile {folder}/vagrant.key.rsa

  IdentitiesOnly yes
  LogLevel FATAL

"""


def test_each_machine_has_an_endpoint(tmp_path: Path) -> None:
    (tmp_path / "vagrant.key.rsa").touch()
    assert endpoints_in(SAID.format(folder=tmp_path)) == {
        "lb-01": Endpoint("192.168.121.31", 22, "vagrant", (tmp_path / "my lab/private_key",)),
        "web-01": Endpoint("127.0.0.1", 2200, "vagrant", (tmp_path / "vagrant.key.rsa",)),
    }


def test_what_stands_before_the_first_machine_is_none() -> None:
    noise = "==> vagrant: A new version of Vagrant is available: 2.4.9\n\n"
    assert list(endpoints_in(noise + SAID)) == ["lb-01", "web-01"]
    assert endpoints_in(noise) == {}


def test_a_hypervisor_elsewhere_is_reached_by_its_proxy_command() -> None:
    said = SAID.replace("LogLevel FATAL", "ProxyCommand ssh 'kvm host' -W %h:%p", 1)
    assert endpoints_in(said)["lb-01"].proxy_command == "ssh 'kvm host' -W %h:%p"
    assert endpoints_in(said)["web-01"].proxy_command == ""


def test_only_a_port_that_listens_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = Endpoint("127.0.0.1", server.getsockname()[1], "vagrant")
        assert accepts(endpoint)
    assert not accepts(endpoint)


@pytest.mark.parametrize("command", ["ssh kvm -W %h:%p"])
def test_what_a_proxy_command_leads_to_is_not_asked(command: str) -> None:
    assert accepts(Endpoint("nowhere.invalid", 22, "vagrant", proxy_command=command))
