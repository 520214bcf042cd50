"""Systems that aren't the classic four: one machine that is everything, and ten."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from provision.topology import Role
from tests.e2e.kill_runs import NOTHING_CHANGED
from tests.e2e.sandbox import NETWORK, Sandbox
from tests.e2e.shapes import single_machine, ten_machines
from tests.e2e.traces import Traces

Shape = Callable[[Path], None]


@pytest.fixture(
    scope="module", params=[single_machine, ten_machines], ids=["one machine", "ten machines"]
)
def shaped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, before: Traces
) -> Iterator[Sandbox]:
    """A lab of that shape, up and verified."""
    sandbox = Sandbox(tmp_path_factory.mktemp("shape"), "shapes")
    shape: Shape = request.param
    shape(sandbox.topology_file)
    try:
        run = sandbox.inv("up")
        assert run.code == 0, run.output
        assert "checks passed" in run.output
        yield sandbox
    finally:
        sandbox.inv("destroy")


def test_second_run_changes_nothing(shaped: Sandbox) -> None:
    run = shaped.inv("provision")
    assert run.code == 0, run.output
    assert NOTHING_CHANGED.search(run.output), run.output


def test_what_is_written_is_read_and_every_web_machine_answers(shaped: Sandbox) -> None:
    topology = shaped.topology
    door = f"http://{topology.front_address}"
    posted = requests.post(f"{door}/api/messages", json={"author": "a", "text": "b"}, timeout=20)
    assert posted.status_code == 201, posted.text
    names = [machine.name for machine in topology.with_role(Role.WEB)]
    with requests.Session() as session:
        answers = [session.get(f"{door}/healthz", timeout=20) for _ in range(4 * len(names))]
    served = Counter(answer.headers["X-Served-By"] for answer in answers)
    assert served == dict.fromkeys(names, 4)


def test_new_machine_joins_and_leaves_the_others_alone(shaped: Sandbox) -> None:
    """A single machine grows into two: the new one is cloned, and acknowledges from then on."""
    if len(shaped.topology.machines) > 1:
        pytest.skip("the classic four show this for larger systems")
    text = shaped.topology_file.read_text()
    more = f"  extra:\n    address: {NETWORK}.21\n    roles: [replica]\n    memory_mb: 512\n"
    shaped.topology_file.write_text(text.replace("machines:\n", f"machines:\n{more}"))
    run = shaped.inv("up")
    assert run.code == 0, run.output
    waits = shaped.ssh("solo", "sudo mysql -N -e 'SELECT @@rpl_semi_sync_source_enabled'")
    assert waits.strip() == "1"
