"""A lab from its first boot to its end; the tests are the chapters, in this order."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.resolver
import pytest
import requests

from provision.lab.launcher import launcher_for
from provision.lab.packages import CACHE_UNIT
from tests.e2e.kill_runs import NOTHING_CHANGED, kill_and_finish
from tests.e2e.sandbox import NETWORK, NOTHING_PREINSTALLED, Sandbox, eventually, random_moments
from tests.e2e.traces import Traces

CACHE = "apt-cacher-ng\n"
KILLS = 2
SEED = 2


@pytest.fixture(autouse=True)
def as_described(sandbox: Sandbox) -> Iterator[None]:
    """Each chapter begins and ends with the original topology.yml."""
    sandbox.restore()
    yield
    sandbox.restore()


@contextmanager
def requests_going_on(sandbox: Sandbox) -> Iterator[list[str]]:
    """One client asks for the page without a pause; what went wrong is in the list."""
    wrong: list[str] = []
    done = threading.Event()

    def ask() -> None:
        with requests.Session() as session:
            while not done.is_set():
                try:
                    answer = session.get(sandbox.url("/"), timeout=20)
                    if answer.status_code != 200:
                        wrong.append(f"{answer.status_code} {answer.text[:80]}")
                except requests.RequestException as error:
                    wrong.append(str(error))

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield wrong
    finally:
        done.set()
        client.join()


def test_up_boots_provisions_and_verifies(sandbox: Sandbox) -> None:
    run = sandbox.inv("up")
    assert run.code == 0, run.output
    assert f"http://{NETWORK}.10/" in run.output
    assert "0 failed" in run.output


def test_second_up_changes_nothing(sandbox: Sandbox) -> None:
    run = sandbox.inv("up")
    assert run.code == 0, run.output
    assert NOTHING_CHANGED.search(run.output), run.output


def test_status_shows_every_machine_running(sandbox: Sandbox) -> None:
    run = sandbox.inv("status")
    assert run.code == 0
    assert run.output.count("running") == 4


def test_round_robin_is_exact(sandbox: Sandbox) -> None:
    # A retry on a host that stalls is a turn more for somebody.
    assert eventually(lambda: sandbox.served_by(200) == {"web-01": 100, "web-02": 100})


def test_host_resolves_the_domain_by_asking_the_load_balancer() -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [f"{NETWORK}.10"]
    answer = resolver.resolve("www.foobar.com", "A")
    assert [str(record) for record in answer] == [f"{NETWORK}.10"]
    assert str(answer.canonical_name) == "foobar.com."


def test_edit_by_hand_shows_as_a_diff_and_is_undone(sandbox: Sandbox) -> None:
    sandbox.ssh("lb-01", "sudo sed -i 's/retries 3/retries 1/' /etc/haproxy/haproxy.cfg")
    plan = sandbox.inv("provision", "--plan")
    assert plan.code == 0
    assert "-    retries 1" in plan.output
    assert "+    retries 3" in plan.output
    assert "retries 1" in sandbox.ssh("lb-01", "cat /etc/haproxy/haproxy.cfg")
    run = sandbox.inv("provision")
    assert run.code == 0, run.output
    assert "service haproxy" in run.output  # it is reloaded, though its stamp was right
    assert NOTHING_CHANGED.search(sandbox.inv("provision").output)


def test_plan_masks_secrets_old_and_new(sandbox: Sandbox) -> None:
    path = "/etc/app/environment"
    sandbox.ssh("web-02", f"sudo sed -i 's/^DATABASE_PASSWORD=.*/&-old-secret/' {path}")
    plan = sandbox.inv("provision", "--plan", "--limit", "web-02")
    password = sandbox.ssh("web-02", f"sudo sed -n 's/^DATABASE_PASSWORD=//p' {path}").strip()
    assert "/etc/app/environment" in plan.output
    assert "old-secret" not in plan.output
    assert password.removesuffix("-old-secret") not in plan.output
    assert sandbox.inv("provision", "--limit", "web-02").code == 0


def test_limit_and_only_leave_the_rest_alone(sandbox: Sandbox) -> None:
    for machine in ("web-01", "web-02"):
        sandbox.ssh(machine, "sudo sed -i 's/9s;/8s;/' /etc/nginx/conf.d/quartet.conf")
    sandbox.ssh("web-01", "echo '# by hand' | sudo tee -a /etc/systemd/system/app.socket")
    run = sandbox.inv("provision", "--limit", "web-01", "--only", "nginx")
    assert run.code == 0, run.output
    assert "8s;" not in sandbox.ssh("web-01", "cat /etc/nginx/conf.d/quartet.conf")
    assert "by hand" in sandbox.ssh("web-01", "cat /etc/systemd/system/app.socket")
    assert "8s;" in sandbox.ssh("web-02", "cat /etc/nginx/conf.d/quartet.conf")
    assert sandbox.inv("provision").code == 0


def test_broken_configuration_on_a_machine_is_put_back_by_nginx_own_check(
    sandbox: Sandbox,
) -> None:
    """Nginx can only check the whole: what else is broken there keeps the new file out."""
    sandbox.ssh("web-02", "echo 'nonsense;' | sudo tee /etc/nginx/conf.d/broken.conf")
    sandbox.ssh("web-02", "echo '# by hand' | sudo tee -a /etc/nginx/conf.d/quartet.conf")
    run = sandbox.inv("provision")
    assert run.code != 0
    assert re.search(r"web-02: `nginx -t.*rejected the new /etc/nginx/conf.d/quartet", run.output)
    assert "by hand" in sandbox.ssh("web-02", "cat /etc/nginx/conf.d/quartet.conf")
    sandbox.ssh("web-02", "sudo rm /etc/nginx/conf.d/broken.conf")
    assert sandbox.inv("provision").code == 0


def test_full_disk_is_said_and_the_other_machines_are_finished(sandbox: Sandbox) -> None:
    sandbox.ssh("lb-01", "sudo mount -t tmpfs -o size=4k tmpfs /etc/haproxy")
    sandbox.ssh("lb-01", "sudo dd if=/dev/zero of=/etc/haproxy/full bs=4096 count=1 status=none")
    sandbox.ssh("web-01", "sudo rm /etc/nginx/conf.d/quartet.conf")
    run = sandbox.inv("provision")
    assert run.code != 0
    assert "lb-01" in run.output
    assert "the disk is full" in run.output
    sandbox.ssh("web-01", "test -f /etc/nginx/conf.d/quartet.conf")
    sandbox.ssh("lb-01", "sudo umount /etc/haproxy")
    assert sandbox.inv("provision").code == 0


def test_unknown_package_is_said_and_the_other_machines_are_finished(sandbox: Sandbox) -> None:
    sandbox.rewrite(("[python3-jinja2]", "[python3-jinja2, no-such-package]"))
    sandbox.ssh("lb-01", "sudo systemctl stop haproxy")
    run = sandbox.inv("provision")
    assert run.code != 0
    assert "Unable to locate package no-such-package" in run.output
    assert "application.packages" in run.output
    assert sandbox.ssh("lb-01", "systemctl is-active haproxy").strip() == "active"
    sandbox.restore()
    assert sandbox.inv("provision").code == 0


def test_unreachable_machine_is_said_and_the_others_are_finished(sandbox: Sandbox) -> None:
    assert sandbox.inv("power-cut", "--limit", "db-03").code == 0
    sandbox.ssh("lb-01", "sudo systemctl stop nsd")
    run = sandbox.inv("provision")
    assert run.code != 0
    assert "db-03: can't be reached" in run.output
    assert "./lab up" in run.output
    assert sandbox.ssh("lb-01", "systemctl is-active nsd").strip() == "active"
    assert sandbox.inv("up", "--limit", "db-03").code == 0


def test_changed_host_key_is_refused(sandbox: Sandbox) -> None:
    known_hosts = sandbox.folder / "known_hosts"
    good = known_hosts.read_text()
    lines = {line.split(",")[0]: line for line in good.splitlines()}
    key_of_another = lines["web-01"].split(" ", 1)[1]
    known_hosts.write_text(good.replace(lines["db-03"].split(" ", 1)[1], key_of_another))
    run = sandbox.inv("provision")
    known_hosts.write_text(good)
    assert run.code != 0
    assert "db-03" in run.output
    assert "host key" in run.output


def test_power_cut_of_a_web_machine_fails_no_request(sandbox: Sandbox) -> None:
    with requests_going_on(sandbox) as wrong:
        assert sandbox.inv("power-cut", "--limit", "web-02").code == 0
        assert eventually(lambda: set(sandbox.served_by(20)) == {"web-01"})
        sandbox.lab().up(["web-02"])
        assert sandbox.inv("provision").code == 0
    assert wrong == []
    assert eventually(lambda: sandbox.served_by(20) == {"web-01": 10, "web-02": 10})


def test_rebooted_primary_is_fenced_until_provisioned(sandbox: Sandbox) -> None:
    assert sandbox.inv("reboot", "--limit", "web-01").code == 0
    assert eventually(lambda: requests.get(sandbox.url("/"), timeout=20).status_code == 200)
    assert eventually(lambda: sandbox.post("fenced").status_code == 503)
    run = sandbox.inv("provision")
    assert run.code == 0, run.output
    assert sandbox.post("open again").status_code == 201
    assert NOTHING_CHANGED.search(sandbox.inv("provision").output)


def test_new_database_settings_interrupt_no_reading_and_leave_the_primary_open(
    sandbox: Sandbox,
) -> None:
    sandbox.rewrite(("memory_mb: 1024", "memory_mb: 1152"))
    with requests_going_on(sandbox) as wrong:
        run = sandbox.inv("provision")
    assert run.code == 0, run.output
    assert "service mysql" in run.output
    assert wrong == []
    # The application asks a database again some seconds after it found it away.
    assert eventually(lambda: sandbox.post("all were restarted").status_code == 201, deadline_s=10)
    assert NOTHING_CHANGED.search(sandbox.inv("provision").output)
    sandbox.restore()
    assert sandbox.inv("provision").code == 0


def test_halted_lab_comes_up_with_its_data(sandbox: Sandbox) -> None:
    assert eventually(lambda: sandbox.post("dusk").status_code == 201, deadline_s=10)
    number = sandbox.post("before the night").json()["id"]
    assert sandbox.inv("halt").code == 0
    assert sandbox.inv("up").code == 0
    for database in ("web-01", "web-02", "db-03"):
        url = sandbox.url(f"/api/messages/{number}?database={database}")
        assert requests.get(url, timeout=20).status_code == 200, database


def test_package_cache_that_ended_is_started_again(sandbox: Sandbox) -> None:
    cgroup = launcher_for(sandbox.topology.name).cgroup(CACHE_UNIT)
    caches = [pid for pid in cgroup.pids() if Path(f"/proc/{pid}/comm").read_text() == CACHE]
    assert caches
    for pid in caches:
        os.kill(pid, signal.SIGKILL)
    update = "sudo apt-get update --option APT::Update::Error-Mode=any"
    assert eventually(lambda: sandbox.try_ssh("lb-01", update).returncode == 0)


def test_active_passive_is_one_word(sandbox: Sandbox) -> None:
    sandbox.rewrite(("load_balancing: active-active", "load_balancing: active-passive"))
    assert sandbox.inv("provision").code == 0
    assert eventually(lambda: set(sandbox.served_by(50)) == {"web-01"})
    sandbox.ssh("web-01", "sudo systemctl stop nginx")
    assert eventually(lambda: set(sandbox.served_by(10)) == {"web-02"})
    sandbox.ssh("web-01", "sudo systemctl start nginx")
    assert eventually(lambda: set(sandbox.served_by(10)) == {"web-01"})
    sandbox.restore()
    assert sandbox.inv("provision").code == 0


def test_scaling_out_takes_one_line(sandbox: Sandbox) -> None:
    line = f"  web-03: {{address: {NETWORK}.14, roles: [web]}}\n"
    sandbox.topology_file.write_text(sandbox.topology_file.read_text() + line)
    run = sandbox.inv("up")
    assert run.code == 0, run.output
    assert eventually(
        lambda: sandbox.served_by(30) == dict.fromkeys(["web-01", "web-02", "web-03"], 10)
    )
    sandbox.lab().destroy(["web-03"])
    sandbox.restore()
    assert sandbox.inv("provision").code == 0


def test_disruptive_checks_pass_and_put_everything_back(sandbox: Sandbox) -> None:
    run = sandbox.inv("verify", "--disruptive")
    assert run.code == 0, run.output
    assert NOTHING_CHANGED.search(sandbox.inv("provision").output)


def test_replica_takes_over_when_the_primary_comes_back_empty(sandbox: Sandbox) -> None:
    number = sandbox.post("outlives its machine").json()["id"]
    sandbox.lab().destroy(["web-01"])
    run = sandbox.inv("up")
    assert run.code == 0, run.output
    states = requests.get(sandbox.url("/api/topology"), timeout=20).json()["databases"]
    roles = {each["name"]: each["role"] for each in states}
    assert roles["web-01"] == "replica"
    assert sorted(roles.values()) == ["primary", "replica", "replica"]
    url = sandbox.url(f"/api/messages/{number}?database=web-01")
    assert requests.get(url, timeout=20).status_code == 200
    assert NOTHING_CHANGED.search(sandbox.inv("provision").output)


def test_killed_up_and_killed_destroy_are_finished_by_the_next(sandbox: Sandbox) -> None:
    for moment in random_moments(2, 2.0, SEED):
        sandbox.inv_killed("destroy", after_s=moment)
    assert sandbox.inv("destroy").code == 0
    for moment in random_moments(3, 4.0, SEED):
        sandbox.inv_killed("up", after_s=moment)
    sandbox.lab().up()
    assert set(sandbox.lab().status().values()) == {"running"}


def test_provisioning_needs_nothing_preinstalled(sandbox: Sandbox) -> None:
    sandbox.rewrite(NOTHING_PREINSTALLED)
    assert sandbox.inv("destroy").code == 0
    run = sandbox.inv("up")
    assert run.code == 0, run.output
    assert NOTHING_CHANGED.search(sandbox.inv("provision").output)


@pytest.mark.parametrize("moment_s", random_moments(KILLS, 12, SEED))
def test_killed_provisioning_is_finished_by_the_next_run(sandbox: Sandbox, moment_s: float) -> None:
    assert kill_and_finish(sandbox, moment_s) == ""


def test_killed_installation_of_packages_is_finished_by_the_next_run(sandbox: Sandbox) -> None:
    sandbox.rewrite(NOTHING_PREINSTALLED)
    [moment_s] = random_moments(1, 16, SEED)
    assert kill_and_finish(sandbox, moment_s) == ""


def test_destroy_leaves_nothing_behind(sandbox: Sandbox, before: Traces) -> None:
    assert sandbox.inv("destroy").code == 0
    assert Traces.read().since(before) == {}
