"""Which archive and release machines are made from, read off what apt and the archive say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from provision.lab import mirror
from provision.lab.mirror import HostArchive, find_archive
from provision.lab.release import cacheable, parse_release

SECURITY = "http://archive.test/security/|Debian|Debian-Security|stable-security|main"
THIRD_PARTY = "http://vendor.test/apt/|Vendor|Vendor|stable|main"
DEBIAN = "http://archive.test/debian/|Debian|Debian|stable|main"
UBUNTU = "http://archive.test/ubuntu/|Ubuntu|Ubuntu|noble|main"
UBUNTU_SECURITY = "http://security.test/ubuntu/|Ubuntu|Ubuntu|noble-security|main"
UNIVERSE = "http://elsewhere.test/ubuntu/|Ubuntu|Ubuntu|noble|universe"

IN_RELEASE = """\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
Label: Debian
Suite: unstable
Codename: sid
Date: Sat, 01 Nov 2025 20:12:09 UTC
Valid-Until: Sat, 08 Nov 2025 20:12:09 UTC
Components: main contrib
MD5Sum:
 0123456789abcdef 1234 main/binary-amd64/Packages
-----BEGIN PGP SIGNATURE-----
"""


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([SECURITY, THIRD_PARTY, DEBIAN], HostArchive("http://archive.test/debian", "Debian")),
        ([UBUNTU_SECURITY, UNIVERSE, UBUNTU], HostArchive("http://archive.test/ubuntu", "Ubuntu")),
        ([SECURITY, THIRD_PARTY], None),
        ([], None),
    ],
)
def test_main_archive_is_told_from_the_others(
    lines: list[str], expected: HostArchive | None
) -> None:
    assert find_archive("\n".join(lines)) == expected


def test_list_of_mirrors_is_followed(tmp_path: Path) -> None:
    mirrors = tmp_path / "debian.list"
    mirrors.write_text("# nearest first\nhttps://near.test/debian\tpriority:1\n")
    found = find_archive(f"mirror+file:{mirrors}|Debian|Debian|stable|main")
    assert found == HostArchive("https://near.test/debian", "Debian")


def test_release_with_mysql_itself_is_the_default() -> None:
    assert HostArchive("http://archive.test", "Debian").default_suite == "sid"
    assert HostArchive("http://archive.test", "Ubuntu").default_suite == "noble"


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("VALUE='false'\n", "false"),
        ("", ""),
        ("VALUE='http://proxy.test:8080'\n", "http://proxy.test:8080"),
    ],
)
def test_apt_setting_is_unquoted(monkeypatch: pytest.MonkeyPatch, printed: str, value: str) -> None:
    monkeypatch.setattr(mirror, "run", lambda argv: printed)
    assert mirror.apt_setting("Acquire::http::Proxy") == value


def test_release_is_expired_after_its_date_and_not_before() -> None:
    release = parse_release(IN_RELEASE, "http://archive.test/debian", "sid")
    assert release.is_expired(datetime(2025, 11, 9, tzinfo=UTC))
    assert not release.is_expired(datetime(2025, 11, 8, 20, 0, tzinfo=UTC))


def test_release_without_a_date_never_expires() -> None:
    text = "\n".join(line for line in IN_RELEASE.splitlines() if "Valid" not in line)
    assert not parse_release(text, "http://archive.test/debian", "sid").is_expired()


def test_sources_name_the_keyring_of_the_origin() -> None:
    release = parse_release(IN_RELEASE, "http://archive.test/debian", "sid")
    assert release.sources() == (
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
        " http://archive.test/debian sid main\n"
    )


def test_ubuntu_comes_with_universe_and_updates() -> None:
    release = parse_release("Origin: Ubuntu\n", "http://archive.test/ubuntu", "noble")
    lines = release.sources().splitlines()
    assert [line.split()[3:] for line in lines] == [
        ["noble", "main", "universe"],
        ["noble-updates", "main", "universe"],
    ]


def test_https_is_spelled_so_that_the_cache_can_keep_it() -> None:
    assert cacheable("https://archive.test/debian/") == "http://HTTPS///archive.test/debian"
    assert cacheable("http://archive.test/debian/") == "http://archive.test/debian"
