"""The script `lab`: how it hands words over to the tasks."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.local_host import write_program
from tests.site_parts import ROOT


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A copy of the script whose environment is set up, with an `inv` that says its words."""
    shutil.copy(ROOT / "lab", tmp_path)
    (tmp_path / ".venv").mkdir()
    for folder in (tmp_path, tmp_path / ".venv"):
        shutil.copy(ROOT / "requirements.lock", folder)
    write_program(tmp_path / ".venv/bin", "inv", "printf '%s\\n' \"$@\"")
    return tmp_path / "lab"


@pytest.mark.parametrize(
    ("words", "handed_over"),
    [
        (["up", "--limit", "web-01"], ["up", "--limit", "web-01"]),
        (["ssh", "web-01"], ["ssh", "web-01"]),
        (["ssh", "web-01", "uptime"], ["ssh", "web-01", "--command", "uptime"]),
        (
            ["ssh", "web-01", "sudo", "journalctl", "-u", "nginx"],
            ["ssh", "web-01", "--command", "sudo journalctl -u nginx"],
        ),
        (["ssh", "web-01", "ls", "-t", "--x=y"], ["ssh", "web-01", "--command", "ls -t --x=y"]),
        (["ssh", "--provider=libvirt", "web-01"], ["ssh", "--provider", "libvirt", "web-01"]),
        (["ssh", "--provider", "libvirt", "web-01"], ["ssh", "--provider", "libvirt", "web-01"]),
        (["ssh", "-p", "libvirt", "web-01"], ["ssh", "--provider", "libvirt", "web-01"]),
        (["ssh", "-t", "my file.yml", "web-01"], ["ssh", "--topology", "my file.yml", "web-01"]),
        (
            ["ssh", "--topology=a=b.yml", "--provider=ssh", "web-01", "uptime", "-p"],
            [
                "ssh",
                "--topology",
                "a=b.yml",
                "--provider",
                "ssh",
                "web-01",
                "--command",
                "uptime -p",
            ],
        ),
        (
            ["ssh", "--topology=a.yml", "-p", "ssh", "web-01"],
            ["ssh", "--topology", "a.yml", "--provider", "ssh", "web-01"],
        ),
        (["ssh", "-t", "a=b.yml", "web-01"], ["ssh", "--topology", "a=b.yml", "web-01"]),
        (["ssh", "--help"], ["ssh", "--help"]),
        (["ssh"], ["ssh"]),
    ],
    ids=" ".join,
)
def test_words_are_handed_over(words: list[str], handed_over: list[str], lab: Path) -> None:
    done = subprocess.run([str(lab), *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == handed_over
    assert done.stderr == ""
