"""The application: one release, as an unprivileged user, with the visitor's own Host."""

import pytest

from checks import services
from checks.expectations import expect, expect_equal
from checks.front_door import Door
from checks.lab import Lab
from provision.topology import Machine

pytestmark = [pytest.mark.area("application"), pytest.mark.look("journalctl -u app -n 50")]

USER = "app"
BASE_PACKAGES = ("gunicorn", "python3-pymysql", "python3-cryptography")


def test_packages_are_installed(lab: Lab, web: Machine) -> None:
    packages = [*BASE_PACKAGES, *lab.topology.application.packages]
    services.expect_installed(lab, web, *packages)


@pytest.mark.parametrize("unit", ["app", "app.socket"])
def test_service_runs_now_and_after_a_boot(lab: Lab, web: Machine, unit: str) -> None:
    services.expect_running(lab, web, unit)


def test_runs_as_an_unprivileged_user_in_as_many_workers_as_planned(lab: Lab, web: Machine) -> None:
    facts = lab.facts[web.name]
    main = int(facts.units["app.service"]["MainPID"])
    workers = [user for user, _ in facts.children.get(main, [])] if main else []
    found = [facts.owners.get(main, "nobody"), *workers]
    expected = [USER] * (1 + lab.topology.application.workers)
    expect_equal("users of gunicorn and its workers", found, expected)


@pytest.mark.look("id app")
def test_its_user_is_in_no_other_group(lab: Lab, web: Machine) -> None:
    account = lab.facts[web.name]["app account"].text
    groups = account.partition("groups=")[2]
    ok = "uid=0" not in account and groups.endswith(f"({USER})\n") and "," not in groups
    expect(ok, expected=f"user {USER}, in the group {USER} alone", found=account.strip())


@pytest.mark.look("ls -l /srv/app/releases")
def test_it_can_not_write_its_own_code(lab: Lab, web: Machine) -> None:
    status = lab.facts[web.name]["app writes its code"].status
    expect_equal("status of `test -w /srv/app/current/` as app", status, 1)


@pytest.mark.look("ls -l /etc/app")
def test_environment_with_the_password_is_roots_alone(lab: Lab, web: Machine) -> None:
    facts = lab.facts[web.name]
    found = facts.modes.get("/etc/app/environment")
    expect_equal("mode of /etc/app/environment", found, ("600", "root:root"))
    expect_equal("status of reading it as app", facts["app reads secrets"].status, 1)


@pytest.mark.look("ls -l /etc/app")
def test_environment_of_the_migration_is_roots_alone(lab: Lab, web: Machine) -> None:
    default = ("600", "root:root")
    found = lab.facts[web.name].modes.get("/etc/app/migration.environment", default)
    expect_equal("mode of /etc/app/migration.environment", found, default)


@pytest.mark.look("ls -l /run/app")
def test_its_socket_is_nginxs_alone(lab: Lab, web: Machine) -> None:
    found = lab.facts[web.name].modes.get("/run/app/app.sock")
    expect_equal("mode of /run/app/app.sock", found, ("600", "www-data:www-data"))


@pytest.mark.parametrize("kind", ["liveness", "readiness"])
def test_says_that_it_is_well(lab: Lab, doors: dict[str, Door], web: Machine, kind: str) -> None:
    path: str = getattr(lab.topology.application, kind)
    answer = doors[web.name].get(path)
    expect_equal(f"status of {path}", answer.status_code, 200)


@pytest.mark.look("ls -l /srv/app")
def test_same_release_is_live_on_every_web_machine(
    lab: Lab, doors: dict[str, Door], board: None, web: Machine
) -> None:
    releases = {
        name: facts["release"].text.strip().rpartition("/")[2]
        for name, facts in lab.facts.items()
        if "release" in facts.outputs
    }
    expect_equal("releases", releases, dict.fromkeys(releases, releases[web.name]))
    running = doors[web.name].get("/api/whoami").json()["release"]
    expect_equal("release that runs", running, releases[web.name])


def test_page_comes_from_the_application(
    doors: dict[str, Door], board: None, lab: Lab, web: Machine
) -> None:
    page = doors[web.name].get("/")
    kind = page.headers.get("Content-Type")
    found = (page.status_code, kind, lab.topology.domain in page.text)
    expected = (200, "text/html; charset=utf-8", True)
    expect_equal("status, type, and whether the page names the domain", found, expected)


def test_program_names_the_machine_that_runs_it(
    doors: dict[str, Door], board: None, web: Machine
) -> None:
    answer = doors[web.name].get("/api/whoami").json()
    expect_equal("web in /api/whoami", answer["web"], web.name)


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize("name", ["{domain}", "www.{domain}", "board.example.net:8080"])
def test_host_that_the_browser_sent_is_kept(
    doors: dict[str, Door], lab: Lab, web: Machine, name: str
) -> None:
    # The application takes a form from its own page alone, that is where Origin matches Host; an
    # empty message is refused for its own sake (400) only after that.
    host = name.format(domain=lab.topology.domain)
    headers = {"Host": host, "Origin": f"http://{host}"}
    answer = doors[web.name].request("POST", "/api/messages", headers, json={})
    expect_equal(f"status with Host and Origin {host}", answer.status_code, 400)


def test_form_of_another_site_is_refused(doors: dict[str, Door], board: None, web: Machine) -> None:
    headers = {"Origin": "http://example.net"}
    answer = doors[web.name].request("POST", "/api/messages", headers, json={})
    expect_equal("status with another site's Origin", answer.status_code, 403)
