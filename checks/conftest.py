"""Options, the lab that is checked, and which checks run."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from checks.ending import tidy_up_when_ended
from checks.expectations import NotAnsweringError
from checks.front_door import Door, Written, write
from checks.lab import Lab
from checks.parameters import has_its_machines, machines_of, parametrize
from checks.reporter import Reporter
from checks.root import SudoPassword
from checks.secret_values import SecretValues
from checks.settling import settle
from checks.tidying import do_all
from provision.topology import Topology, TopologyError, load

LAB = pytest.StashKey[Lab]()
TOLD = pytest.StashKey[set[str]]()
MARKERS = (
    "area(name): the row of the closing table",
    "look(command): what to look at on the machine when the check fails",
    "asks_mysql: needs an answer of MySQL on the machines that it is about",
    "without_answer: does not, though others beside it do",
    "last: runs after all others",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("quartet", "the lab to check")
    group.addoption(
        "--topology", type=Path, default=Path("topology.yml"), help="default: ./topology.yml"
    )
    group.addoption(
        "--lab-dir",
        type=Path,
        help="where ssh_config and secrets.json are; default: in .quartet beside the topology file",
    )
    group.addoption(
        "--settle",
        type=float,
        default=0,
        metavar="SECONDS",
        help="wait so long at most until a system that has just booted is at rest",
    )
    group.addoption(
        "--sudo-password-fd",
        type=int,
        metavar="N",
        help="an open file descriptor, 3 or higher, whose one line is what sudo asks for",
    )
    group.addoption(
        "--disruptive",
        action="store_true",
        help="also stop and break parts of the live service, and put them right",
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    tidy_up_when_ended()
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    lab = config.stash[LAB] = _lab(config)
    config.stash[TOLD] = set()
    machines = [machine.name for machine in lab.topology.machines]
    config.pluginmanager.register(Reporter(config, machines), "quartet-reporter")


def pytest_sessionstart(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        lab = session.config.stash[LAB]
        lab.connect()
        settle(lab, session.config.option.settle)
        lab.read()


def pytest_unconfigure(config: pytest.Config) -> None:
    lab = config.stash.get(LAB, None)
    if lab is not None:
        lab.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize(metafunc, metafunc.config.stash[LAB])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if has_its_machines(item, config.stash[LAB])]
    disruptive = [item for item in items if item.get_closest_marker("disruptive")]
    others = [item for item in items if item not in disruptive]
    disruptive.sort(key=lambda item: item.get_closest_marker("last") is not None)
    if config.option.disruptive:
        items[:] = others + disruptive
        return
    items[:] = others
    if disruptive:
        config.hook.pytest_deselected(items=disruptive)


def pytest_runtest_setup(item: pytest.Item) -> None:
    lab, told = item.config.stash[LAB], item.config.stash[TOLD]
    through_front = {"front", "post", "written"} & set(getattr(item, "fixturenames", ()))
    front = [lab.load_balancer] if through_front else []
    for machine in dict.fromkeys([*machines_of(item), *front]):
        problem = _why_not(item, lab, machine.name)
        if problem is None:
            continue
        if problem.expected not in told:
            told.add(problem.expected)
            raise problem
        pytest.skip(f"{problem.machine} did not answer (told above)")


def _why_not(item: pytest.Item, lab: Lab, name: str) -> NotAnsweringError | None:
    if name in lab.masters.unreachable:
        said = f"unreachable by SSH: {lab.masters.unreachable[name]}"
        return NotAnsweringError(f"{name} answers by SSH", said, name, "./lab status")
    asks_mysql = item.get_closest_marker("asks_mysql") is not None
    offline = item.get_closest_marker("without_answer") is not None
    state = lab.states.get(name)
    if asks_mysql and not offline and isinstance(state, str):
        look = "journalctl -u mysql -n 50"
        return NotAnsweringError(f"MySQL on {name} answers its monitor account", state, name, look)
    return None


def _lab(config: pytest.Config) -> Lab:
    try:
        topology = load(config.option.topology)
    except TopologyError as error:
        raise pytest.UsageError(str(error)) from error
    directory: Path = config.option.lab_dir or topology.state_folder
    return Lab(topology, directory, _secrets(directory, topology), _sudo_password(config))


def _secrets(directory: Path, topology: Topology) -> SecretValues:
    try:
        return SecretValues.read(directory / "secrets.json")
    except (OSError, ValueError, KeyError) as error:
        what, task = ("no lab", "up") if topology.provider != "ssh" else ("nothing", "provision")
        raise pytest.UsageError(
            f"{directory}: {what} to check: {error}\n  next: ./lab {task}, or give --lab-dir"
        ) from error


def _sudo_password(config: pytest.Config) -> SudoPassword | None:
    descriptor: int | None = config.option.sudo_password_fd
    if descriptor is None:
        return None
    try:
        return SudoPassword.from_descriptor(descriptor)
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--sudo-password-fd {descriptor}: {error}") from error


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Lab:
    return pytestconfig.stash[LAB]


@pytest.fixture(scope="session")
def front(lab: Lab) -> Iterator[Door]:
    with closing(lab.front_door()) as door:
        yield door


@pytest.fixture(scope="session")
def doors(lab: Lab) -> Iterator[dict[str, Door]]:
    doors = {web.name: lab.door(web, lab.topology.ports.web) for web in lab.webs}
    yield doors
    for door in doors.values():
        door.close()


@pytest.fixture
def board(lab: Lab) -> None:
    entry_point = lab.topology.application.entry_point
    if entry_point != "board.wsgi:application":
        pytest.skip(f"{entry_point} is another application, whose pages are not known here")


@pytest.fixture
def post(board: None, front: Door, lab: Lab) -> Iterator[Callable[[], Written]]:
    """Write a row through the front door; it is removed when the check has ended."""
    rows: list[Written] = []

    def write_and_note() -> Written:
        rows.append(write(front))
        return rows[-1]

    yield write_and_note
    delete = partial(lab.databases[lab.primary.name].rows, user="app")
    do_all(partial(delete, "DELETE FROM app.messages WHERE id = %s", row.id) for row in rows)


@pytest.fixture
def written(post: Callable[[], Written]) -> Written:
    return post()
