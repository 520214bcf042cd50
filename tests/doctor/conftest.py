"""What the tests of the examination share."""

from pathlib import Path

import pytest

from provision.topology import Topology, load


@pytest.fixture(scope="session")
def topology() -> Topology:
    return load(Path(__file__).parents[2] / "topology.yml")
