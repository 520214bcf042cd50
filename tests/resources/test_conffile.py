"""A package's configuration file: as dpkg knows it, or changed since."""

import hashlib
from pathlib import Path

import pytest

from provision.resources import Snapshot
from provision.resources.conffile import conffile, is_changed
from tests.local_host import LocalHost, write_program

PACKAGED = "global\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "haproxy.cfg"
    path.write_text(PACKAGED)
    return path


@pytest.fixture
def host(tmp_path: Path, config: Path) -> LocalHost:
    """A machine where the package `haproxy` has this file and another one; no other is known."""
    digest = hashlib.md5(PACKAGED.encode()).hexdigest()  # noqa: S324 as dpkg has it
    lines = f" {config}.d {'0' * 32}\n {config} {digest} obsolete"
    script = '[ "$3" = haproxy ] || exit 1\n[ "$2" = "-f=\\${Conffiles}\\n" ] || exit 64'
    write_program(tmp_path / "bin", "dpkg-query", f"{script}\ncat <<'END'\n{lines}\nEND")
    return LocalHost(tmp_path / "bin")


def _is_changed(host: LocalHost, package: str, path: Path) -> bool:
    fact = conffile(package, str(path))
    return is_changed(host.read([fact]), fact)


def test_file_as_the_package_brought_it_is_not_changed(host: LocalHost, config: Path) -> None:
    assert not _is_changed(host, "haproxy", config)


@pytest.mark.parametrize("text", ["", "global\n\n", "frontend shop\n"])
def test_file_that_somebody_edited_is_changed(host: LocalHost, config: Path, text: str) -> None:
    config.write_text(text)
    assert _is_changed(host, "haproxy", config)


def test_file_that_is_not_there_is_not_changed(host: LocalHost, config: Path) -> None:
    config.unlink()
    assert not _is_changed(host, "haproxy", config)


def test_file_that_no_package_brought_is_somebodys_own(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg.d").write_text(PACKAGED)
    assert _is_changed(host, "haproxy", tmp_path / "haproxy.cfg.d")
    assert _is_changed(host, "hapee", tmp_path / "haproxy.cfg")


def test_each_of_several_files_is_judged_for_itself(host: LocalHost, config: Path) -> None:
    other = config.with_name("with a space.cfg")
    other.write_text("mine")
    facts = [conffile("haproxy", str(config)), conffile("haproxy", str(other))]
    snapshot = host.read(facts)
    assert [is_changed(snapshot, fact) for fact in facts] == [False, True]


def test_machine_that_was_not_asked_has_no_changed_file() -> None:
    assert not is_changed(Snapshot({}), conffile("haproxy", "/etc/haproxy/haproxy.cfg"))
