"""What makes an image one machine: its name, address, keys and way to packages."""

import os
import secrets
from ipaddress import IPv4Interface
from pathlib import Path

from provision.lab.customise import USER, write
from provision.lab.keys import new_key_pair, public_half

HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


def networkd(interface: IPv4Interface) -> str:
    """Render the machine's network file (systemd.network(5)): one static address, no IPv6."""
    return (
        "[Match]\nName=host0\n\n"
        f"[Network]\nAddress={interface}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=no\n"
    )


def hosts(name: str, domain: str) -> str:
    """Render /etc/hosts so that the machine knows its own name."""
    return f"127.0.0.1 localhost\n127.0.1.1 {name}.{domain} {name}\n::1 localhost ip6-localhost\n"


def christen(root: Path, upper: Path, name: str, domain: str) -> None:
    """Give a new machine its name and its ids; each only where it has none yet."""
    files = {
        "etc/hostname": f"{name}\n",
        "etc/hosts": hosts(name, domain),
        "etc/machine-id": f"{secrets.token_hex(16)}\n",
    }
    for path, text in files.items():
        if not (upper / path).exists():
            write(root / path, text)


def wire(root: Path, interface: IPv4Interface, proxy: str, authorized: str) -> None:
    """Write what follows from the topology and the lab, before every boot."""
    write(root / "etc/systemd/network/10-host0.network", networkd(interface))
    write(root / "etc/apt/apt.conf.d/80quartet-proxy", f'Acquire::http::Proxy "{proxy}";\n')
    write(root / f"home/{USER}/.ssh/authorized_keys", f"{authorized}\n", 0o600)
    _own_home(root)


def give_host_key(root: Path, name: str) -> None:
    """Make the machine's host key, so that it's known before the first contact."""
    if not (root / HOST_KEY).exists():
        write(root / HOST_KEY, new_key_pair(f"root@{name}").private, 0o600)


def host_key(root: Path) -> str:
    """Return the machine's public host key."""
    return public_half((root / HOST_KEY).read_text(), root.name)


def _own_home(root: Path) -> None:
    home = root / f"home/{USER}"
    owner = home.stat()
    for path in (home / ".ssh", home / ".ssh/authorized_keys"):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    (home / ".ssh").chmod(0o700)
