from pathlib import Path

import pytest

from provision.resources import stamps
from tests.local_host import LocalHost


@pytest.fixture
def host() -> LocalHost:
    return LocalHost()


@pytest.fixture(autouse=True)
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where services' stamps stand: never the real place."""
    folder = tmp_path / "loaded"
    folder.mkdir()
    monkeypatch.setattr(stamps, "LOADED", str(folder))
    monkeypatch.setattr(stamps, "OURS", str(tmp_path / "quartet" / "ours"))
    return folder
