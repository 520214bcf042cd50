"""What a program gets to do when Ctrl-C is pressed: everything, however long it takes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from provision.child import run_to_its_end
from provision.polling import is_reached
from tests.site_parts import ROOT

# Tidies up for longer than subprocess.run would wait.
CHILD = """
import signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
try:
    (folder / "began").touch()
    time.sleep(60)
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (folder / "tidying").touch()
    time.sleep(1)
    (folder / "tidied").touch()
"""
PARENT = """
import sys
from provision.child import run_to_its_end
try:
    run_to_its_end(sys.argv[1:])
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_exit_status_is_told() -> None:
    assert run_to_its_end([sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_open_file_can_be_passed_on() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"7")
    script = f"import os; raise SystemExit(int(os.read({reading}, 1)))"
    assert run_to_its_end([sys.executable, "-c", script], pass_fds=[reading]) == 7
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("times", [1, 2])
def test_program_is_waited_for_however_often_it_is_interrupted(tmp_path: Path, times: int) -> None:
    words = [sys.executable, "-c", PARENT, sys.executable, "-c", CHILD, str(tmp_path)]
    terminal = subprocess.Popen(words, cwd=ROOT, start_new_session=True)
    for sign in ("began", "tidying")[:times]:
        assert is_reached((tmp_path / sign).exists, within_s=20)
        os.killpg(terminal.pid, signal.SIGINT)
    assert terminal.wait(20) == 130
    assert (tmp_path / "tidied").exists()
