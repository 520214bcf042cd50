"""What was validated once is not validated again, and no change is overlooked by that."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from provision.topology import TopologyError, load, memory, validation
from provision.topology.models import Topology

Write = Callable[..., Path]


@pytest.fixture
def file(write: Write) -> Path:
    """The file of a system that has a folder already."""
    path = write()
    (path.parent / ".quartet").mkdir()
    return path


@pytest.fixture
def validated(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were validated, in order."""
    paths: list[Path] = []
    validate = validation.validated

    def counting(path: Path, text: str) -> Topology:
        paths.append(path)
        return validate(path, text)

    monkeypatch.setattr(validation, "validated", counting)
    return paths


def test_same_file_is_validated_once(file: Path, validated: list[Path]) -> None:
    first = load(file)
    assert load(file) == first
    assert validated == [file]


def test_facts_of_every_kind_are_remembered(
    file: Path, write: Write, validated: list[Path]
) -> None:
    """Types are compared too: an address is no text, and a tuple no list."""
    blocks = (
        "nspawn: {suite: noble, mirror: 'http://mirror.lan/ubuntu', preinstall: false}\n"
        "vagrant: {box: mine}\n"
        "ssh: {user: deploy, port: 2222, key: /keys/id, jump: hop}\n"
        "database: {failover: automatic}\n"
    )
    write(("name: quartet", f"{blocks}name: quartet"))
    first, second = load(file), load(file)
    assert repr(first) == repr(second)
    assert first == second
    assert validated == [file]


def test_changed_file_is_validated_again(file: Path, validated: list[Path]) -> None:
    load(file)
    file.write_text(file.read_text().replace("foobar.com", "example.com"))
    assert load(file).domain == "example.com"
    assert len(validated) == 2


def test_mistakes_are_told_each_time(file: Path) -> None:
    load(file)
    file.write_text(file.read_text().replace("foobar.com", "foobar com"))
    for _ in range(2):
        with pytest.raises(TopologyError, match="domain"):
            load(file)


def test_system_without_a_folder_gets_none(write: Write, validated: list[Path]) -> None:
    path = write()
    assert load(path) == load(path)
    assert len(validated) == 2
    assert not (path.parent / ".quartet").exists()


def test_folder_that_went_away_is_missed(file: Path) -> None:
    place = load(file).application.path
    place.rename(place.with_name("elsewhere"))
    with pytest.raises(TopologyError, match=r"application\.path"):
        load(file)


def test_link_that_leads_elsewhere_is_followed(file: Path) -> None:
    place = load(file).application.path
    release = place.with_name("release-2")
    place.rename(release)
    place.symlink_to(release)
    assert load(file).application.path == release


def test_file_of_another_home_is_validated_again(
    file: Path, validated: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(file.read_text() + "\nssh: {key: ~/key}\n")
    for home in ("/home/one", "/home/other", "/home/other"):
        monkeypatch.setenv("HOME", home)
        assert load(file).ssh.key == Path(home, "key")
    assert len(validated) == 2


def test_files_that_mean_somebodys_home_are_validated_each_time(
    file: Path, validated: list[Path]
) -> None:
    file.write_text(file.read_text() + "\nssh: {key: ~root/key}\n")
    assert load(file) == load(file)
    assert len(validated) == 2


def test_remembered_file_is_read_without_what_validates(file: Path) -> None:
    """Importing these is what is saved."""
    load(file)
    script = (
        "import sys; from pathlib import Path; from provision.topology import load;"
        f" load(Path({str(file)!r})); print({{'pydantic', 'ruamel.yaml'}} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("keep", [0, 40, -1])
def test_torn_memory_is_no_memory(keep: int, file: Path, validated: list[Path]) -> None:
    topology = load(file)
    stored = topology.state_folder / memory.FILE
    stored.write_bytes(stored.read_bytes()[:keep])
    assert load(file) == topology
    assert len(validated) == 2


def test_what_this_code_did_not_seal_is_not_read(file: Path) -> None:
    topology = load(file)
    stored = topology.state_folder / memory.FILE
    stored.write_text(stored.read_text().replace("foobar.com", "example.com"))
    assert load(file).domain == "foobar.com"


def test_system_that_moved_is_validated_again(file: Path, tmp_path: Path) -> None:
    load(file)
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert load(moved / file.name).path == moved / file.name


def test_memory_is_for_its_owner(file: Path) -> None:
    stored = load(file).state_folder / memory.FILE
    assert stored.stat().st_mode & 0o777 == 0o600
    assert list(stored.parent.iterdir()) == [stored]
