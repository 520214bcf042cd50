"""One server with nothing but a public address, as it is rented."""

import pytest
import requests

from tests.e2e.kill_runs import NOTHING_CHANGED
from tests.e2e.sandbox import NETWORK, Sandbox
from tests.e2e.shapes import rented_server, single_machine
from tests.e2e.traces import Traces


def test_one_server_without_a_private_network_serves_from_the_loopback(
    tmp_path_factory: pytest.TempPathFactory, before: Traces
) -> None:
    """As a rented server with nothing but a public address, known by a file of its own."""
    sandbox = Sandbox(tmp_path_factory.mktemp("rented"), "rented")
    single_machine(sandbox.topology_file)
    lab = sandbox.lab()
    try:
        lab.up()
        production = rented_server(sandbox.topology_file)
        about = ["--topology", str(production)]
        assert sandbox.inv("trust", "--yes", *about).code == 0
        run = sandbox.inv("up", *about)
        assert run.code == 0, run.output
        assert "no replica: what this one database loses is lost" in run.output
        again = sandbox.inv("provision", *about)
        assert NOTHING_CHANGED.search(again.output), again.output
        assert requests.get(f"http://{NETWORK}.20/", timeout=20).status_code == 200
    finally:
        lab.destroy()
