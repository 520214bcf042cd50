"""Nginx: static files are its own business, everything else is the application's."""

import hashlib
import socket
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from testinfra.host import Host

from checks import services
from checks.expectations import NotAnsweringError, expect, expect_equal, shown
from checks.front_door import SERVED_BY, Door
from checks.lab import Lab
from checks.waiting import wait_until
from checks.ways import LOOPBACK
from provision.topology import Machine

pytestmark = [
    pytest.mark.area("web"),
    pytest.mark.look("tail /var/log/nginx/error.log"),
]

YEAR_S = 31536000
LOGGED_WITHIN_S = 3
FORGED = "203.0.113.9"
REQUESTS = {
    "a page": ("GET", "/", 200),
    "a static file": ("GET", "/static/{static}", 200),
    "a missing static file": ("GET", "/static/no-such-file", 404),
    "a missing page": ("GET", "/no-such-page", 404),
    "a wrong method": ("DELETE", "/", 405),
}


@pytest.fixture(scope="module")
def static_file(lab: Lab) -> str:
    application = lab.topology.application
    if application.static is None:
        pytest.skip("the application has no static files")
    folder = application.path / application.static
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    texts = [path for path in files if path.suffix == ".css"]
    return str((texts or files or [Path("none")])[0])


def test_nginx_is_installed(lab: Lab, web: Machine) -> None:
    services.expect_installed(lab, web, "nginx")


def test_nginx_runs_now_and_after_a_boot(lab: Lab, web: Machine) -> None:
    services.expect_running(lab, web, "nginx")


def test_configuration_is_valid(lab: Lab, web: Machine) -> None:
    services.expect_valid(lab, web, "nginx configuration", "nginx -t")


def test_listens_on_the_private_address_alone(lab: Lab, web: Machine) -> None:
    port = lab.topology.ports.web
    found = {each for each in lab.facts[web.name].listening if each.endswith(f":{port}")}
    own = f"tcp {web.address}:{port}"
    everywhere = f"tcp *:{port}"
    if not lab.is_ours_alone and everywhere in found:
        # Another site of this Nginx is for all addresses; its socket then stands for ours as well.
        own = everywhere
    expect_equal(f"who listens on port {port}", found, {own})


@pytest.mark.parametrize("request_for", REQUESTS)
def test_every_response_says_who_served_it(
    request_for: str, doors: dict[str, Door], static_file: str, web: Machine
) -> None:
    method, path, status = REQUESTS[request_for]
    path = path.format(static=static_file)
    answer = doors[web.name].request(method, path)
    found = (answer.status_code, answer.headers.get(SERVED_BY))
    expect_equal(f"status and {SERVED_BY} of {method} {path}", found, (status, web.name))


def test_static_file_is_the_released_one(
    lab: Lab, doors: dict[str, Door], static_file: str, web: Machine
) -> None:
    static = lab.topology.application.static
    lines = lab.facts[web.name]["released files"].lines
    sums = {path: digest for digest, path in (line.split(None, 1) for line in lines)}
    answer = doors[web.name].get(f"/static/{static_file}")
    found = hashlib.sha256(answer.content).hexdigest() if answer.ok else answer.status_code
    expect_equal(f"SHA-256 of /static/{static_file}", found, sums.get(f"./{static}/{static_file}"))


def test_static_files_do_not_come_from_the_application(
    doors: dict[str, Door], static_file: str, web: Machine
) -> None:
    # Nginx sets an ETag; the application sets none, but forbids framing and caching on everything.
    found = doors[web.name].get(f"/static/{static_file}")
    missing = doors[web.name].get("/static/no-such-file")
    marks = [
        "ETag" in found.headers and "Content-Security-Policy" not in found.headers,
        "nginx" in missing.text and "Content-Security-Policy" not in missing.headers,
    ]
    expect(
        all(marks),
        expected="an ETag and none of the application's headers; a missing file is Nginx's own 404",
        found=f"ETag {found.headers.get('ETag')}, Content-Security-Policy"
        f" {found.headers.get('Content-Security-Policy')}; missing: {missing.status_code}"
        f" {missing.text[:60]!r}",
    )


def test_versioned_static_file_may_be_kept_for_a_year(
    doors: dict[str, Door], static_file: str, web: Machine
) -> None:
    answer = doors[web.name].get(f"/static/{static_file}?v=1")
    found = answer.headers.get("Cache-Control")
    expect_equal("Cache-Control", found, f"max-age={YEAR_S}")


def test_unversioned_static_file_is_asked_for_again_soon(
    doors: dict[str, Door], static_file: str, web: Machine
) -> None:
    answer = doors[web.name].get(f"/static/{static_file}")
    expect_equal("Cache-Control", answer.headers.get("Cache-Control"), "max-age=300")


def test_unchanged_static_file_is_not_sent_twice(
    doors: dict[str, Door], static_file: str, web: Machine
) -> None:
    tag = doors[web.name].get(f"/static/{static_file}").headers.get("ETag", "")
    answer = doors[web.name].get(f"/static/{static_file}", {"If-None-Match": tag})
    expect_equal("status when asked with its ETag", answer.status_code, 304)


def test_file_outside_the_static_folder_is_not_served(doors: dict[str, Door], web: Machine) -> None:
    statuses = [
        doors[web.name].get(path).status_code
        for path in ("/static../migrate.py", "/static/%2e%2e/migrate.py", "/migrate.py")
    ]
    expect(
        all(400 <= status < 500 for status in statuses),
        expected="a refusal of every way to the application's source",
        found=statuses,
    )


def test_version_is_not_told(doors: dict[str, Door], web: Machine) -> None:
    expect_equal("Server header", doors[web.name].get("/healthz").headers.get("Server"), "nginx")


@dataclass(frozen=True)
class Visits:
    """Visits with a forged address: through the front door, and past it to each web machine.

    `front` and `direct` are the addresses that they really came from; of a machine that `direct`
    lacks nothing is known.
    """

    mark: str
    front: str
    direct: dict[str, str]

    def logged(self, host: Host) -> dict[str, str]:
        """Say whom a machine's Nginx logged, for each of the two."""
        log = "tail --lines=50000 /var/log/nginx/access.log | grep -F -e %s"
        lines = host.run(log, self.mark).stdout.splitlines()
        return {("front" if "?front-" in line else "direct"): line.split()[0] for line in lines}

    def expected(self, web: Machine, *, serves: bool) -> dict[str, str]:
        """Say whom it should have logged."""
        front = {"front": self.front} if serves else {}
        return front | ({"direct": self.direct[web.name]} if web.name in self.direct else {})


@pytest.fixture(scope="module")
def visits(lab: Lab, front: Door, doors: dict[str, Door]) -> Visits:
    mark, forged = uuid.uuid4().hex, {"X-Forwarded-For": FORGED}
    visitor, visitors_address = visitor_of(lab, front)
    with closing(visitor):
        for _ in range(2 * len(lab.webs)):
            visitor.get(f"/healthz?front-{mark}", forged)
    direct = {}
    for name, address in addresses_past_the_front(lab).items():
        with suppress(NotAnsweringError):  # other checks of that machine tell
            doors[name].get(f"/healthz?direct-{mark}", forged)
            direct[name] = address
    return Visits(mark, visitors_address, direct)


def visitor_of(lab: Lab, front: Door) -> tuple[Door, str]:
    """Return a way through the front door, and the address that HAProxy sees there.

    Where private addresses are reached through SSH, a connection comes from the machine that SSH
    ends on. HAProxy's own would not do: its requests bear that address, believed or not.
    """
    balancer = lab.load_balancer
    if not lab.ways.lead_through_ssh:
        return front, own_address(balancer)
    others = [
        each
        for each in lab.topology.machines
        if each != balancer and each.name not in lab.masters.unreachable
    ]
    # Alone, it can still visit itself by another name than the one HAProxy goes by.
    via = others[0] if others else balancer
    seen, there = (via.address, balancer.address) if others else (LOOPBACK, LOOPBACK)
    way = lab.ways.through(via, str(there), lab.topology.ports.http)
    return Door(balancer, way, lab.topology.domain), str(seen)


def addresses_past_the_front(lab: Lab) -> dict[str, str]:
    """Return the address that requests to each web machine come from, past the load balancer.

    Through SSH that is the machine's own; if HAProxy is there too, its word is taken for anything.
    """
    if not lab.ways.lead_through_ssh:
        return {web.name: own_address(web) for web in lab.webs}
    return {web.name: str(web.address) for web in lab.webs if web != lab.load_balancer}


def own_address(machine: Machine) -> str:
    """The address that requests to a machine come from, where it is reached directly."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((str(machine.address), 9))
        return str(probe.getsockname()[0])


def test_visitors_address_is_believed_from_the_load_balancer_alone(
    visits: Visits, lab: Lab, web: Machine
) -> None:
    expected = visits.expected(web, serves=web in lab.serving_webs)
    host = lab.root(web)
    wait_until(
        lambda: visits.logged(host),
        lambda found: found == expected,
        expected=f"in the access log the visitor's address, never a forged one: {shown(expected)}",
        within_s=LOGGED_WITHIN_S,
        at=web,
        look="tail /var/log/nginx/access.log",
    )
