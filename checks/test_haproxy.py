"""HAProxy spreads requests exactly, tells the truth about its servers, and only to the network."""

from collections import Counter

import pytest

from checks import haproxy_stats, services
from checks.expectations import expect, expect_equal
from checks.front_door import Door, even_share
from checks.lab import Lab
from checks.turns import undisturbed
from checks.waiting import wait_until
from provision.topology import Machine

pytestmark = [
    pytest.mark.area("load balancer"),
    pytest.mark.look("journalctl -u haproxy -n 50"),
]

REQUESTS = 200
CHECKED_WITHIN_S = 3


def test_haproxy_is_installed(lab: Lab, load_balancer: Machine) -> None:
    services.expect_installed(lab, load_balancer, "haproxy")


def test_haproxy_runs_now_and_after_a_boot(lab: Lab, load_balancer: Machine) -> None:
    services.expect_running(lab, load_balancer, "haproxy")


def test_configuration_is_valid(lab: Lab, load_balancer: Machine) -> None:
    look = "haproxy -c -f /etc/haproxy/haproxy.cfg"
    services.expect_valid(lab, load_balancer, "haproxy configuration", look)


def test_listens_for_visitors_everywhere_and_for_operators_privately(
    lab: Lab, load_balancer: Machine
) -> None:
    ports = lab.topology.ports
    public, private = f"tcp *:{ports.http}", f"tcp {load_balancer.address}:{ports.haproxy_stats}"
    services.expect_listening(lab, load_balancer, public, private)


def test_200_requests_are_spread_exactly(front: Door, lab: Lab, load_balancer: Machine) -> None:
    names = [web.name for web in lab.serving_webs]
    count = REQUESTS - REQUESTS % len(names)
    found = undisturbed(lab, lambda: front.turns(count))
    expect_equal(f"who served {count} requests", Counter(found), even_share(names, count))


def test_consecutive_requests_go_to_different_machines(
    front: Door, lab: Lab, load_balancer: Machine
) -> None:
    names = [web.name for web in lab.serving_webs]
    served = undisturbed(lab, lambda: front.turns(2 * len(names)))
    first, second = served[: len(names)], served[len(names) :]
    expect_equal("machines in the first turn", set(first), set(names))
    expect_equal("order of the second turn", second, first)


def test_every_new_connection_takes_its_turn_too(
    front: Door, lab: Lab, load_balancer: Machine
) -> None:
    names = [web.name for web in lab.serving_webs]
    close = {"Connection": "close"}
    served = undisturbed(lab, lambda: front.turns(2 * len(names), headers=close))
    expect_equal("who served", set(served), set(names))


@pytest.mark.usefixtures("board")
def test_host_that_the_browser_sent_is_kept(front: Door, lab: Lab, load_balancer: Machine) -> None:
    # What the application makes of it is told in test_app.py.
    host = f"www.{lab.topology.domain}:8080"
    headers = {"Host": host, "Origin": f"http://{host}"}
    answers = [
        front.request("POST", "/api/messages", headers, json={}).status_code for _ in lab.webs
    ]
    expect_equal(f"statuses with Host and Origin {host}", answers, [400] * len(lab.webs))


@pytest.mark.look("journalctl -u nginx -u app -n 50")
def test_web_machine_is_in_rotation(lab: Lab, web: Machine) -> None:
    wait_until(
        lambda: _standing(lab, web),
        lambda found: found == ("UP", "L7OK", "200"),
        expected="status, last check and its code: UP, L7OK, 200",
        within_s=CHECKED_WITHIN_S,
        at=web,
    )


def _standing(lab: Lab, web: Machine) -> tuple[str | None, str | None, str | None]:
    row = haproxy_stats.servers(lab).get(web.name, {})
    check, code = row.get("check_status"), row.get("check_code")
    if check == "* L7OK":
        # The next check is under way, which has no code yet; the one before it was well.
        check, code = "L7OK", "200"
    return row.get("status"), check, code


def test_statistics_page_names_every_web_machine(lab: Lab, load_balancer: Machine) -> None:
    page = haproxy_stats.get(lab, "/")
    missing = {web.name for web in lab.webs if web.name not in page.text}
    found = (page.status_code, missing)
    expect_equal("status, and machines that the page lacks", found, (200, set()))


def test_metrics_are_there_for_prometheus(lab: Lab, load_balancer: Machine) -> None:
    text = haproxy_stats.get(lab, "/metrics").text
    up = {
        web.name
        for web in lab.webs
        if f'haproxy_server_status{{proxy="web",server="{web.name}",state="UP"}} 1' in text
    }
    expect_equal("machines that /metrics says are up", up, {web.name for web in lab.webs})


def test_visitors_do_not_get_statistics(front: Door, load_balancer: Machine) -> None:
    answer = front.get("/metrics")
    expect(
        answer.status_code == 404 and "haproxy_" not in answer.text,
        expected="GET /metrics through the front door: 404",
        found=answer.status_code,
    )
