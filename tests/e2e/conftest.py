"""One lab for all end-to-end tests, in a network of its own; skipped where none can run."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.lab.host import install_missing
from tests.e2e.sandbox import Sandbox
from tests.e2e.traces import Traces

E2E = Path(__file__).parent


def why_not() -> str:
    """Why machines can't be booted here; empty where they can."""
    if os.geteuid() != 0:
        return "booting machines needs root"
    if not shutil.which("apt-get"):
        return "machines are made from Debian packages: no apt-get here"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder, and say why it can't run where that is so."""
    reason = why_not()
    for item in items:
        if E2E in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def before() -> Traces:
    """What this host looked like before the first machine, but with the programs to look with."""
    install_missing(print)
    return Traces.read()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory, before: Traces) -> Iterator[Sandbox]:
    """A lab described by a topology.yml of its own; destroyed at the end whatever happened."""
    made = Sandbox(tmp_path_factory.mktemp("lab"))
    yield made
    made.inv("destroy")
