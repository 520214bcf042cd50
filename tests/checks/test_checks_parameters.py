"""Which checks there are for systems of other shapes: pytest collects them, and runs none."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from checks.turns import reads_to_meet_all
from provision.topology import load
from tests.checks.shapes import SINGLE, TEN, write_shape

ROOT = Path(__file__).parents[2]


def collected(folder: Path, shape: str) -> list[str]:
    """The ids of all checks of a system; none is skipped for lack of machines."""
    topology = write_shape(folder, shape)
    lab = load(topology).state_folder
    lab.mkdir(parents=True)
    (lab / "secrets.json").write_text('{"ca_certificate": ""}')
    command = [sys.executable, "-m", "pytest", "checks", "--collect-only", "-q"]
    command += ["-p", "no:cacheprovider", "--topology", str(topology), "--disruptive"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.partition("/")[2] for line in done.stdout.splitlines() if "::" in line]


def test_single_machine_has_no_checks_of_what_it_lacks(tmp_path: Path) -> None:
    found = collected(tmp_path, SINGLE)

    per_file = Counter(each.partition("::")[0] for each in found)
    names = {each.partition("::")[2].partition("[")[0] for each in found}
    assert not any("NOTSET" in each for each in found)
    assert "test_dns.py" not in per_file
    assert "test_commit_does_not_wait_where_there_is_no_replica" in names
    assert "test_commit_waits_until_enough_replicas_have_it" not in names
    assert "test_receives_and_applies_without_error" not in names
    assert "test_clock_agrees_with_the_other_machines_within_a_second" not in names
    assert {"test_web_machine_is_in_rotation", "test_primary_is_open_for_writes"} <= names


def test_each_of_ten_machines_has_its_checks(tmp_path: Path) -> None:
    found = collected(tmp_path, TEN)

    def count(name: str) -> int:
        return sum(f"::{name}[" in each for each in found)

    assert count("test_no_unit_has_failed") == 10
    assert count("test_web_machine_is_in_rotation") == 5
    assert count("test_mysql_is_installed") == 5
    assert count("test_receives_and_applies_without_error") == 4
    assert count("test_usable_replica_gets_reads") == 20
    assert count("test_commit_does_not_wait_where_there_is_no_replica") == 0


@pytest.mark.parametrize(("shape", "reads"), [(SINGLE, 12), (TEN, 40)])
def test_reads_are_enough_to_meet_every_replica(tmp_path: Path, shape: str, reads: int) -> None:
    assert reads_to_meet_all(load(write_shape(tmp_path, shape)), 12) == reads


@pytest.mark.parametrize(
    ("given", "said"), [("\n", "there is no password to read"), (None, "Bad file descriptor")]
)
def test_descriptor_without_a_password_is_told(
    tmp_path: Path, given: str | None, said: str
) -> None:
    topology = write_shape(tmp_path, SINGLE)
    (tmp_path / "secrets.json").write_text('{"ca_certificate": ""}')
    secret = tmp_path / "secret"
    secret.write_text(given or "")
    command = [sys.executable, "-m", "pytest", "checks", "-q", "--topology", str(topology)]
    command += ["--lab-dir", str(tmp_path), "--sudo-password-fd"]
    with secret.open() as source:
        number = source.fileno()
        done = subprocess.run(
            [*command, str(number)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=[number] if given else [],
        )

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"--sudo-password-fd {number}: " in done.stderr
    assert said in done.stderr
