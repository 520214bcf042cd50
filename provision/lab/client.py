"""The controller's side of SSH: the lab's own key, known hosts and ssh configuration.

They lie in `.quartet/` beside topology.yml and belong to whoever owns the folder around it; the
user's own ~/.ssh is neither read nor written. `ssh -F .quartet/ssh_config web-01` logs in.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.lab.base import Endpoint
from provision.lab.keys import new_key_pair, public_half

COMMENT = "quartet lab"


@dataclass(frozen=True)
class SshClient:
    """The client files of one lab, in a folder of its own."""

    folder: Path

    @property
    def key(self) -> Path:
        """The private key that machines let in."""
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The lab's own known_hosts."""
        return self.folder / "known_hosts"

    @property
    def config(self) -> Path:
        """For `ssh -F`."""
        return self.folder / "ssh_config"

    def public_key(self) -> str:
        """Return the public half of the lab's key, which is made if there's none."""
        if not self.key.exists():
            self._write(self.key, new_key_pair(COMMENT).private)
        return public_half(self.key.read_text(), COMMENT)

    def trust(self, host_keys: Mapping[str, tuple[str, str]]) -> None:
        """Expect these keys (name -> address and key), and no longer any other from these names.

        The address is written as Endpoint.known_as has it.
        """
        lines = without_hosts(self.known(), [n for n, (a, _) in host_keys.items() for n in (n, a)])
        lines += [
            f"{','.join(dict.fromkeys((name, address)))} {key}"
            for name, (address, key) in host_keys.items()
        ]
        self._write(self.known_hosts, "".join(f"{line}\n" for line in lines))

    def distrust(self, names: Iterable[str]) -> None:
        """Drop the keys of machines that are gone."""
        lines = without_hosts(self.known(), names)
        self._write(self.known_hosts, "".join(f"{line}\n" for line in lines))

    def write_config(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Write the ssh configuration for these machines."""
        self._write(self.config, ssh_config(endpoints, self.known_hosts))

    def forget(self) -> None:
        """Remove what points at machines; the key is kept for the next lab."""
        self.known_hosts.unlink(missing_ok=True)
        self.config.unlink(missing_ok=True)

    def known(self) -> list[str]:
        """Return the lines of the lab's known_hosts."""
        return self.known_hosts.read_text().splitlines() if self.known_hosts.exists() else []

    def _write(self, path: Path, text: str) -> None:
        """Write for the owner's eyes only, in one go, and only if it differs."""
        if path.exists() and path.read_text() == text:
            return
        make_folder(self.folder)
        draft = path.with_name(f".{path.name}.draft")
        draft.touch(mode=0o600)
        draft.write_text(text)
        _give_to_owner(draft)
        draft.replace(path)


def make_folder(folder: Path) -> None:
    """Make the folder for keys and secrets, for its owner's eyes only: whoever owns the project."""
    for each in (folder.parent, folder):
        if not each.exists():
            each.mkdir(mode=0o700)
            _give_to_owner(each)


def _give_to_owner(path: Path) -> None:
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def without_hosts(lines: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the lines of a known_hosts file that speak of none of these hosts."""
    gone = set(names)
    return [line for line in lines if gone.isdisjoint(line.split(" ", 1)[0].split(","))]


def ssh_config(endpoints: Mapping[str, Endpoint], known_hosts: Path) -> str:
    """Render the text that `ssh -F` reads, with an entry for each machine."""
    return "\n".join(_entry(name, endpoint, known_hosts) for name, endpoint in endpoints.items())


def _entry(name: str, endpoint: Endpoint, known_hosts: Path) -> str:
    lines = [
        f"HostName {endpoint.host}",
        f"Port {endpoint.port}",
        f"User {endpoint.user}",
        *_way(name, endpoint),
        "StrictHostKeyChecking yes",
        f'UserKnownHostsFile "{known_hosts}"',
        "LogLevel ERROR",
    ]
    own = "\n    ".join([f"Host {name}", *lines]) + "\n"
    jump = endpoint.jump
    return own + (f"\n{_entry(jump_name(name), jump, known_hosts)}" if jump else "")


def jump_name(name: str) -> str:
    """Name the host in between, as the configuration for this machine calls it."""
    return f"{name}.jump"


def _way(name: str, endpoint: Endpoint) -> list[str]:
    """Say with what to log in, and over whom."""
    lines = [f'IdentityFile "{key}"' for key in endpoint.keys]
    lines += [] if endpoint.agent else ["IdentitiesOnly yes"]
    if endpoint.identity_agent:
        lines.append(f'IdentityAgent "{endpoint.identity_agent}"')
    if endpoint.jump:
        lines.append(f"ProxyJump {jump_name(name)}")
    if endpoint.proxy_command:
        lines.append(f"ProxyCommand {endpoint.proxy_command}")
    return lines
