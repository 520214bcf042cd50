"""What an archive says of a release, in its InRelease file: origin, components, time of validity.

It's read to choose options for apt, which then checks the signature itself: no trust rests on it.
"""

import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import HeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path

from provision.errors import QuartetError

FETCH_S = 60
KEYRINGS = Path("/usr/share/keyrings")
KEYRING_PACKAGES = {"Ubuntu": "ubuntu-keyring"}
COMPONENTS = {
    "Ubuntu": ("main", "universe")
}  # where MySQL's server is, and the rest of what we use
ROLLING = frozenset({"sid", "unstable", "testing"})


@dataclass(frozen=True)
class Release:
    """One release of an archive; `mirror` as a client of the package cache asks for it."""

    mirror: str
    suite: str
    origin: str
    valid_until: datetime | None

    @property
    def keyring(self) -> Path:
        """Its signing keys; the same path on the host and in a machine."""
        return KEYRINGS / f"{self.origin.lower()}-archive-keyring.gpg"

    @property
    def keyring_package(self) -> str:
        """The Debian package that has the keyring."""
        return KEYRING_PACKAGES.get(self.origin, f"{self.origin.lower()}-archive-keyring")

    def is_expired(self, now: datetime | None = None) -> bool:
        """Tell whether apt would refuse it for its age: so it is where a mirror was frozen."""
        return self.valid_until is not None and self.valid_until < (now or datetime.now(UTC))

    def sources(self) -> str:
        """Render sources.list lines; a release that isn't rolling has its updates beside it."""
        components = " ".join(COMPONENTS.get(self.origin, ("main",)))
        suites = [self.suite] if self.suite in ROLLING else [self.suite, f"{self.suite}-updates"]
        line = f"deb [signed-by={self.keyring}] {self.mirror} {{}} {components}\n"
        return "".join(line.format(suite) for suite in suites)


def fetch_release(mirror: str, suite: str, proxy: str) -> Release:
    """Read a release through the package cache. Raises QuartetError if it isn't there."""
    address = cacheable(mirror)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
    try:
        with opener.open(f"{address}/dists/{suite}/InRelease", timeout=FETCH_S) as answer:
            return parse_release(answer.read().decode(), address, suite)
    except OSError as error:
        raise QuartetError(
            f"{mirror} {suite}",
            f"can't read this release: {error}",
            "check the network, or set nspawn.mirror and nspawn.suite in topology.yml",
        ) from error


def parse_release(text: str, mirror: str, suite: str) -> Release:
    """Read the fields of an InRelease file."""
    body = text.split("\n\n", 1)[1] if text.startswith("-----BEGIN PGP SIGNED") else text
    fields = HeaderParser().parsestr(body, headersonly=True)
    until = fields["Valid-Until"]
    date = parsedate_to_datetime(until).replace(tzinfo=UTC) if until else None
    return Release(mirror, suite, fields["Origin"] or "", date)


def cacheable(mirror: str) -> str:
    """Spell a mirror so that the cache may keep its answers: it has https written as HTTPS///."""
    plain = mirror.rstrip("/")
    if plain.startswith("https://"):
        return f"http://HTTPS///{plain.removeprefix('https://')}"
    return plain
