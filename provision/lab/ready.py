"""When a machine is ready: when it lets us log in and its systemd has finished booting."""

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.base import Endpoint
from provision.lab.command import tail

READY_S = 90.0
CONNECT_S = 0.3
POLL_S = 0.05
SSH_FAILED = 255


def greets(endpoint: Endpoint) -> bool:
    """Tell whether sshd answers there, without logging in."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), CONNECT_S) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def wait_until_ready(
    name: str, endpoint: Endpoint, config: Path, is_alive: Callable[[], bool], console: Path
) -> None:
    """Return once we can log in and the machine has booted.

    Raises QuartetError at once when the machine ended, and after READY_S seconds otherwise.
    """
    deadline = time.monotonic() + READY_S
    while not greets(endpoint) or boot_trouble(name, config, deadline):
        if not is_alive():
            said = tail(console.read_text(errors="replace"))
            raise QuartetError(name, f"ended while booting: {said}", f"see {console}")
        if time.monotonic() > deadline:
            raise QuartetError(
                name, f"no login over ssh within {READY_S:.0f} s", f"see {console}, then ./lab up"
            )
        time.sleep(POLL_S)


def boot_trouble(name: str, config: Path, deadline: float) -> str:
    """Log in, wait there until the machine has booted, and return why it hasn't, or nothing.

    A machine whose units partly failed is up, and says so later. `deadline` is a time of
    time.monotonic().
    """
    ssh = ["ssh", "-F", str(config), "-o", "ConnectTimeout=15", name]
    try:
        done = subprocess.run(
            [*ssh, "systemctl", "is-system-running", "--wait"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=max(1.0, deadline - time.monotonic()),
        )
    except subprocess.TimeoutExpired:
        return "it is still booting"
    if done.returncode != SSH_FAILED:
        return ""
    return tail(done.stderr, lines=1) or "the login broke off"
