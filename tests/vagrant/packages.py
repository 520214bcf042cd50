"""A package cache for the box and the machines, as a lab of containers has one.

The machines' network has no way out. What crosses is a Unix socket: a door inside the machines'
network hands connections on to it, and the host hands them on to the cache.
"""

import os
import pwd
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.command import tail
from provision.lab.mirror import apt_setting
from provision.polling import is_reached
from tests.vagrant.places import CACHE, Scratch

PORT = 3144
DOOR_PORT = 3143
ADDRESS = f"127.0.0.1:{PORT}"
URL = f"http://{ADDRESS}"
USER = "apt-cacher-ng"
KEPT = CACHE / "packages/vagrant"
START_S = 15.0
ANSWER_S = 2.0


@contextmanager
def package_cache(scratch: Scratch) -> Iterator[None]:
    """Run the cache and its socket; they end with this program, whatever ends that."""
    _prepare(scratch)
    with _running(scratch, _cache(scratch)), _running(scratch, _hand_on(scratch.door, ADDRESS)):
        if not is_reached(_answers, within_s=START_S):
            raise QuartetError("package cache", tail(_log(scratch).read_text()))
        yield


def door(scratch: Scratch) -> list[str]:
    """The program that opens the machines' way to the cache, to be run inside their network."""
    return _hand_on(f"0.0.0.0:{DOOR_PORT}", scratch.door)


def _hand_on(listen: str | Path, target: str | Path) -> list[str]:
    proxy = "/lib/systemd/systemd-socket-proxyd"
    return ["systemd-socket-activate", f"--listen={listen}", proxy, str(target)]


def _cache(scratch: Scratch) -> list[str]:
    identity = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    identity += ["--pdeathsig=KILL"]  # a change of user forgets it
    return ["setpriv", *identity, "apt-cacher-ng", "-c", str(scratch.packages), "ForeGround=1"]


@contextmanager
def _running(scratch: Scratch, argv: Sequence[str]) -> Iterator[None]:
    mortal = ["setpriv", "--pdeathsig=KILL", *argv]
    with (
        _log(scratch).open("a") as log,
        subprocess.Popen(mortal, stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def _log(scratch: Scratch) -> Path:
    return scratch.packages / "log"


def configuration(scratch: Scratch, upstream: str) -> str:
    """Render acng.conf: every archive is taken as it's asked for, so there are no Remap lines."""
    settings = {
        "CacheDir": KEPT,
        "LogDir": scratch.packages,
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
