"""The lab's package cache: an apt-cacher-ng of its own, the machines' one way out.

It fetches on the host, so machines need neither NAT nor a name server. They reach it at a door
inside the lab's network, so that the host's firewall isn't asked. The packaged configuration and
service of apt-cacher-ng aren't touched.
"""

import os
import pwd
import shutil
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from provision.errors import QuartetError
from provision.lab.command import tail
from provision.lab.mirror import apt_setting
from provision.lab.network import LabNetwork
from provision.lab.places import Places
from provision.lab.units import Launcher
from provision.polling import is_reached

PORT = 3143
USER = "apt-cacher-ng"
CACHE_UNIT = "packages"
DOOR_UNIT = "packages-door"
UNITS = (CACHE_UNIT, DOOR_UNIT)
SCRIPTS = Path(__file__).parents[2] / "files/lab"
START_S = 15.0
ANSWER_S = 2.0


@dataclass(frozen=True)
class PackageCache:
    """The package cache of one lab."""

    places: Places
    network: LabNetwork
    launcher: Launcher

    @property
    def url(self) -> str:
        """Where machines, and image builds, find it."""
        return f"http://{self.network.proxy}:{PORT}"

    def ensure_up(self) -> None:
        """Start what doesn't run, and wait until it answers; it is started again if it ends."""
        if self._answers():
            return
        self.stop()
        self._prepare()
        self._start(CACHE_UNIT, self._cache())
        self._start(DOOR_UNIT, self._door())
        if not is_reached(self._answers, within_s=START_S):
            self.stop()
            said = "\n".join(tail(self._log(unit).read_text()) for unit in UNITS)
            raise QuartetError("package cache", f"does not start: {said}", "./lab up")

    def stop(self) -> None:
        """End it; what it fetched stays for the next time."""
        for unit in UNITS:
            self.launcher.cgroup(unit).kill()
            self.launcher.clean(unit)

    def forget(self) -> None:
        """Remove its configuration and logs."""
        shutil.rmtree(self.places.packages, ignore_errors=True)

    def _start(self, unit: str, program: list[str]) -> None:
        start_again = ["sh", str(SCRIPTS / "start-again.sh")]
        self.launcher.start(unit, [*start_again, *program], self._log(unit))

    def _answers(self) -> bool:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self.url}/acng-report.html", timeout=ANSWER_S) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False

    def _cache(self) -> list[str]:
        identity = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        return [*identity, "apt-cacher-ng", "-c", str(self.places.packages), "ForeGround=1"]

    def _door(self) -> list[str]:
        listen, target = f"{self.network.proxy}:{PORT}", f"{self.network.gateway}:{PORT}"
        return [*self.network.inside, "sh", str(SCRIPTS / "package-door.sh"), listen, target]

    def _log(self, unit: str) -> Path:
        return self.places.packages / f"{unit}.log"

    def _prepare(self) -> None:
        user = pwd.getpwnam(USER)
        for folder in (self.places.packages, self.places.package_cache):
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, user.pw_uid, user.pw_gid)
        conf = configuration(self.places, self.network, apt_setting("Acquire::http::Proxy"))
        (self.places.packages / "acng.conf").write_text(conf)


def configuration(places: Places, network: LabNetwork, upstream: str) -> str:
    """Render acng.conf: every archive is taken as it's asked for, so there are no Remap lines."""
    lines = [
        f"CacheDir: {places.package_cache}",
        f"LogDir: {places.packages}",
        f"SocketPath: {places.packages}/socket",
        "SupportDir: /usr/lib/apt-cacher-ng",
        f"BindAddress: {network.gateway}",
        f"Port: {PORT}",
        "PassThroughPattern: .*",
        "ReportPage: acng-report.html",
    ]
    if upstream not in {"", "DIRECT"}:
        lines.append(f"Proxy: {upstream}")
    return "\n".join(lines) + "\n"
