"""What is written into a machine before it boots."""

from ipaddress import IPv4Interface
from pathlib import Path

from provision.lab import identity
from provision.lab.customise import forget_identity, write


def test_network_file_holds_one_static_address() -> None:
    text = identity.networkd(IPv4Interface("10.9.8.11/24"))
    assert text.splitlines()[:5] == [
        "[Match]",
        "Name=host0",
        "",
        "[Network]",
        "Address=10.9.8.11/24",
    ]


def test_machine_knows_its_own_name() -> None:
    assert "127.0.1.1 web-01.foobar.com web-01\n" in identity.hosts("web-01", "foobar.com")


def test_name_that_a_machine_has_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_text("written by the machine\n")
    identity.christen(tmp_path, tmp_path, "web-01", "foobar.com")
    assert (tmp_path / "etc/hosts").read_text() == "written by the machine\n"
    assert (tmp_path / "etc/hostname").read_text() == "web-01\n"


def test_machine_ids_differ(tmp_path: Path) -> None:
    for name in ("a", "b"):
        identity.christen(tmp_path / name, tmp_path / name, name, "foobar.com")
    ids = {(tmp_path / name / "etc/machine-id").read_text() for name in ("a", "b")}
    assert {len(text.strip()) for text in ids} == {32}
    assert len(ids) == 2


def test_host_key_stays_the_same(tmp_path: Path) -> None:
    identity.give_host_key(tmp_path, "web-01")
    before = identity.host_key(tmp_path)
    identity.give_host_key(tmp_path, "web-01")
    assert identity.host_key(tmp_path) == before


def test_link_planted_by_a_machine_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    (tmp_path / "planted").symlink_to(outside)
    write(tmp_path / "planted", "ours")
    assert outside.read_text() == "untouched"
    assert (tmp_path / "planted").read_text() == "ours"


def test_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    write(tmp_path / "file", "same")
    before = (tmp_path / "file").stat().st_ino
    write(tmp_path / "file", "same")
    assert (tmp_path / "file").stat().st_ino == before


def test_image_forgets_what_machines_must_not_share(tmp_path: Path) -> None:
    unique = ["etc/ssh/ssh_host_rsa_key", "var/lib/mysql/auto.cnf", "var/lib/mysql/ca.pem"]
    for path in [*unique, "etc/machine-id", "var/lib/mysql/ibdata1"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    forget_identity(tmp_path)
    assert not any((tmp_path / path).exists() for path in unique)
    assert (tmp_path / "etc/machine-id").read_text() == ""
    assert (tmp_path / "var/lib/mysql/ibdata1").exists()
