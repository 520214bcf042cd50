"""How to log in to Vagrant's machines: what `vagrant ssh-config` says, and their host keys."""

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from provision.lab.base import SSH_PORT, Endpoint
from provision.lab.client import ssh_config
from provision.lab.ready import CONNECT_S

FIRST_CONTACT_S = 60  # an emulated machine takes its time over the key exchange


def endpoints_in(text: str) -> dict[str, Endpoint]:
    """Read the text of `vagrant ssh-config`, which has a block for each machine."""
    return {name: _endpoint(settings) for name, settings in _blocks(text).items()}


def accepts(endpoint: Endpoint) -> bool:
    """Tell whether something listens there; what a proxy command leads to is not asked."""
    if endpoint.proxy_command:
        return True
    try:
        with socket.create_connection((endpoint.host, endpoint.port), CONNECT_S):
            return True
    except OSError:
        return False


def first_host_key(name: str, endpoint: Endpoint) -> str:
    """Log in once to a machine that is new, and return its host key; empty where that fails.

    Vagrant made the machine on a hypervisor of ours a moment ago and has logged in there already.
    """
    with TemporaryDirectory() as folder:
        config, known_hosts = Path(folder) / "ssh_config", Path(folder) / "known_hosts"
        config.write_text(ssh_config({name: endpoint}, known_hosts))
        if not _logs_in(name, config):
            return ""
        [line] = known_hosts.read_text().splitlines()[:1]
        return line.split(" ", 1)[1]


def _logs_in(name: str, config: Path) -> bool:
    options = ["-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes"]
    try:
        done = subprocess.run(
            ["ssh", "-F", str(config), *options, name, "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=FIRST_CONTACT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _blocks(text: str) -> dict[str, dict[str, list[str]]]:
    blocks: dict[str, dict[str, list[str]]] = {}
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.strip().partition(" ")
        if keyword == "Host":
            settings = blocks.setdefault(value.strip(), {})
        elif value:
            settings.setdefault(keyword, []).append(value.strip())
    return blocks


def _endpoint(settings: dict[str, list[str]]) -> Endpoint:
    return Endpoint(
        settings["HostName"][0],
        int(settings.get("Port", [str(SSH_PORT)])[0]),
        settings["User"][0],
        _own_key(settings.get("IdentityFile", [])),
        proxy_command=settings.get("ProxyCommand", [""])[0],
    )


def _own_key(paths: Sequence[str]) -> tuple[Path, ...]:
    """Choose the machine's own key; only before its first boot does Vagrant name several others.

    Quotes stand around a path that has spaces in it.
    """
    keys = [Path(path.strip('"')) for path in paths]
    return tuple([key for key in keys if key.exists()] or keys)[:1]
