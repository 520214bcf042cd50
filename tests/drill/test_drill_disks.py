"""The scripts that move a server's data, run for real where only they see the mounts."""

import os
import subprocess
from pathlib import Path

import pytest

from provision.drill import faults
from tests.local_host import write_program

UNSHARE = ["unshare", "--mount", "--propagation", "private"]
BY_HAND = 'mkdir -p "$below"; mount --bind "$lib" "$below"; mount -t tmpfs quartet-drill "$data"'


def can_unshare() -> bool:
    if os.geteuid() != 0:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_unshare(), reason="mounts are made by root alone")


def run(folder: Path, steps: str) -> list[str]:
    """Run `small`, `own`, `left` and what else a test needs; returns what is printed."""
    data = folder / "lib" / "mysql"
    data.mkdir(parents=True)
    (folder / "run").mkdir()
    (data / "row").write_text("old\n")
    (data / "other").write_text("same\n")
    write_program(folder / "bin", "systemctl", "")
    functions = ""
    for name, script in (
        ("small", faults._SMALL_DISK),
        ("own", faults._OWN_DISK),
        ("left", faults._IS_LEFT),
    ):
        moved = script.replace("/var/lib", f"{folder}/lib").replace("/run/", f"{folder}/run/")
        (folder / name).write_text(moved)
        functions += f'{name}() {{ sh "{folder}/{name}" 4 2>&1; }}\n'
    places = f'lib="{folder}/lib" data="{data}" below="{folder}/run/quartet-drill"\n'
    end = f'\ncat "$data/row" "$data/other"; ! grep "{folder}" /proc/mounts; ls "$data" | wc -l\n'
    done = subprocess.run(
        [*UNSHARE, "sh", "-eu", "-c", places + functions + steps + end],
        env=dict(os.environ, PATH=f"{folder / 'bin'}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("steps", "row"),
    [
        ('small; echo new >"$data/row"; own', "new"),
        ('small; echo new >"$data/row"; own; echo newer >"$data/row"; own', "newer"),
        ('small; own; small; echo new >"$data/row"; own', "new"),
        ('small; echo full >"$data/quartet-drill.fill"; own', "old"),
        (f"{BY_HAND}; own", "old"),
        ('touch "$lib/../run/quartet-drill.moved"; own', "old"),
    ],
    ids=["moved", "twice back", "twice moved", "full", "cut off on the way", "cut off at the end"],
)
def test_data_come_back_as_they_were_last(tmp_path: Path, steps: str, row: str) -> None:
    assert run(tmp_path, steps) == [row, "same", "2"]


def test_data_that_are_in_memory_are_not_replaced_by_old_ones(tmp_path: Path) -> None:
    steps = 'small; echo new >"$data/row"; small && exit 1; cat "$data/row"; own'
    said = run(tmp_path, steps)
    assert said[0].endswith("is a mount already, or was one in a drill")
    assert said[1:] == ["new", "new", "same", "2"]


def test_data_on_a_disk_of_their_own_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "row").write_text("own\n")
    mount = f'mount --bind "{tmp_path}/disk" "$data"'
    said = run(tmp_path, f'{mount}; small && exit 1; own; cat "$data/row"; umount "$data"')
    assert said[1:] == ["own", "old", "same", "2"]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ("left", []),
        ("small; left; own", ["yes"]),
        ("small; own; left", []),
        (f"{BY_HAND}; left; own", ["yes"]),
        ('mkdir "$below"; mount --bind "$lib" "$below"; left; own', ["yes"]),
        ('touch "$lib/../run/quartet-drill.moved"; left; own; left', ["yes"]),
    ],
)
def test_what_a_drill_has_left_is_seen(tmp_path: Path, steps: str, found: list[str]) -> None:
    assert run(tmp_path, steps) == [*found, "old", "same", "2"]


def test_script_waits_for_the_one_before(tmp_path: Path) -> None:
    lock = '"$lib/../run/quartet-drill.lock"'
    steps = f"flock {lock} sh -c 'sleep 0.5; echo first' & sleep 0.2; left; echo second; wait"
    assert run(tmp_path, steps)[:2] == ["first", "second"]
