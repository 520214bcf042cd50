"""libvirt's daemons without systemd, the door to the package cache, and the time."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.command import succeeds, tail
from provision.polling import is_reached
from tests.vagrant.clock import clock
from tests.vagrant.packages import door
from tests.vagrant.places import LOGS, Scratch

START_S = 30.0
STOP_S = 10.0
LIBVIRTD_CONF = """\
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""
QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
"""


@contextmanager
def running(scratch: Scratch) -> Iterator[None]:
    """Run them all; libvirt answers when this is entered."""
    etc = Path("/etc/libvirt")
    (etc / "libvirtd.conf").write_text(LIBVIRTD_CONF)
    (etc / "qemu.conf").write_text(QEMU_CONF)
    with ExitStack() as stack:
        for argv in (["virtlogd"], ["libvirtd"], door(scratch), clock()):
            stack.enter_context(_running(argv))
        if not is_reached(_answers, within_s=START_S):
            raise QuartetError("libvirtd", tail((LOGS / "libvirtd.log").read_text()))
        yield


def _answers() -> bool:
    return succeeds(["virsh", "--quiet", "--connect", "qemu:///system", "list"])


@contextmanager
def _running(argv: Sequence[str]) -> Iterator[None]:
    log = LOGS / f"{Path(argv[0]).name}.log"
    with log.open("w") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.terminate()
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
