import pytest

from tests.app.fake_lab import Lab


@pytest.fixture
def lab() -> Lab:
    return Lab()
