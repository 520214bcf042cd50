"""What HAProxy says about itself, on its private port."""

import csv

import requests

from checks.expectations import NotAnsweringError
from checks.front_door import words_of
from checks.lab import Lab

TIMEOUT_S = 5


def get(lab: Lab, path: str) -> requests.Response:
    """Ask HAProxy about itself; raises NotAnsweringError."""
    machine, port = lab.load_balancer, lab.topology.ports.haproxy_stats
    try:
        return requests.get(f"http://{machine.address}:{port}{path}", timeout=TIMEOUT_S)
    except requests.RequestException as error:
        what, look = "HAProxy tells its statistics", "journalctl -u haproxy -n 50"
        raise NotAnsweringError(what, words_of(error), machine.name, look) from error


def servers(lab: Lab) -> dict[str, dict[str, str]]:
    """Return HAProxy's row about each web machine."""
    text = get(lab, "/;csv").text.removeprefix("# ")
    rows = csv.DictReader(text.splitlines())
    aggregates = ("FRONTEND", "BACKEND")
    return {
        row["svname"]: row
        for row in rows
        if row["pxname"] == "web" and row["svname"] not in aggregates
    }


def states_of_servers(lab: Lab) -> dict[str, str]:
    """Return UP, DOWN … for each web machine."""
    return {name: row["status"] for name, row in servers(lab).items()}
