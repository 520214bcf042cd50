"""Servers in memory, and a clock that nobody waits for."""

from collections.abc import Callable

import pytest

from tests.dbagent.fakes import Clock
from tests.dbagent.mysqlds import Mysqlds, install

MakeMysqlds = Callable[[int], Mysqlds]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_mysqlds(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> MakeMysqlds:
    """So many servers, of which all follow db-1."""
    return lambda databases: install(monkeypatch, databases, clock)


@pytest.fixture
def mysqlds(make_mysqlds: MakeMysqlds) -> Mysqlds:
    """db-1 with the replicas db-2 and db-3."""
    return make_mysqlds(3)
