from pathlib import Path

import pytest

from tests.refusals.refusal_parts import Server


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)
