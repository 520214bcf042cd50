"""A package cache for the box and the machines, as a lab of containers has one.

The machines' network has no way out. What crosses is a Unix socket: the cache listens at it on the
host, and a door inside the machines' network hands connections on to it.
"""

import os
import pwd
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from provision.lab.command import tail
from provision.lab.mirror import apt_setting
from provision.waiting import wait_until
from tests.vagrant.places import CACHE, Scratch

PORT = 3144
DOOR_PORT = 3143
URL = f"http://127.0.0.1:{PORT}"
USER = "apt-cacher-ng"
KEPT = CACHE / "packages/vagrant"
START_S = 15.0
ANSWER_S = 2.0


@contextmanager
def package_cache(scratch: Scratch) -> Iterator[None]:
    """Run the cache; it ends with this program, whatever ends that."""
    _prepare(scratch)
    log = scratch.packages / "log"
    identity = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--pdeathsig=KILL"]
    argv = ["setpriv", *identity, "apt-cacher-ng", "-c", str(scratch.packages), "ForeGround=1"]
    with log.open("w") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            wait_until(
                _answers,
                where="package cache",
                what=f"answers at {URL}: {tail(log.read_text())}",
                deadline_s=START_S,
            )
            yield
        finally:
            process.terminate()


def door(scratch: Scratch) -> list[str]:
    """The program that opens the machines' way to the cache, to be run inside their network."""
    listen = f"--listen=0.0.0.0:{DOOR_PORT}"
    return [
        "systemd-socket-activate",
        listen,
        "/lib/systemd/systemd-socket-proxyd",
        str(scratch.door),
    ]


def configuration(scratch: Scratch, upstream: str) -> str:
    """Render acng.conf: every archive is taken as it's asked for, so there are no Remap lines."""
    settings = {
        "CacheDir": KEPT,
        "LogDir": scratch.packages,
        "SocketPath": scratch.door,
        "SupportDir": "/usr/lib/apt-cacher-ng",
        "BindAddress": "127.0.0.1",
        "Port": PORT,
        "PassThroughPattern": ".*",
        "ReportPage": "acng-report.html",
    }
    if upstream not in {"", "DIRECT"}:
        settings["Proxy"] = upstream
    return "".join(f"{name}: {value}\n" for name, value in settings.items())


def _prepare(scratch: Scratch) -> None:
    user = pwd.getpwnam(USER)
    for folder in (scratch.packages, KEPT):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
    conf = configuration(scratch, apt_setting("Acquire::http::Proxy"))
    (scratch.packages / "acng.conf").write_text(conf)


def _answers() -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{URL}/acng-report.html", timeout=ANSWER_S) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
