import socket
import subprocess
from pathlib import Path

import pytest

from checks.ssh import Masters

# Nothing listens on the discard port, and the refusal comes at once.
CONFIG = "Host *\n  HostName 127.0.0.1\n  Port 9\n"


def test_machine_that_can_not_be_reached_is_told_with_the_reason(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(CONFIG)
    masters = Masters(config)

    masters.open(["web-01", "web-02"])
    masters.close()

    assert masters.unreachable.keys() == {"web-01", "web-02"}
    assert "Connection refused" in masters.unreachable["web-01"]
    assert not masters.folder.exists()


def test_sockets_have_short_paths(tmp_path: Path) -> None:
    masters = Masters(tmp_path / "ssh_config")
    longest = "a" * 30

    # OpenSSH appends 17 characters while it connects; the system's limit is 104 or 108.
    assert len(str(masters.socket(longest))) + 17 < 104
    masters.close()


def test_host_in_between_that_is_silent_is_told_as_the_reason(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(
        "Host web-01\n HostName 192.0.2.1\n ProxyJump web-01.jump\n"
        "Host web-01.jump\n HostName 127.0.0.1\n Port 9\n"
    )
    masters = Masters(config)

    masters.open(["web-01"])
    masters.close()

    assert "Connection refused" in masters.unreachable["web-01"]


def test_connection_that_does_not_end_leaves_no_other_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masters = Masters(tmp_path / "ssh_config")
    for name in ("web-01", "web-02"):
        _bind(masters.socket(name))
    asked: list[str] = []

    def control(what: str, name: str) -> int:
        asked.append(f"{what} {name}")
        raise subprocess.TimeoutExpired("ssh", 20)

    monkeypatch.setattr(masters, "_control", control)

    with pytest.raises(ExceptionGroup, match="timed out"):
        masters.close()

    assert sorted(asked) == ["exit web-01", "exit web-02"]
    assert not masters.folder.exists()


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
