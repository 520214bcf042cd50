"""What HAProxy says about itself, on its private port."""

import csv
from contextlib import closing

import requests

from checks.expectations import NotAnsweringError
from checks.lab import Lab

AGGREGATES = ("FRONTEND", "BACKEND")


def get(lab: Lab, path: str) -> requests.Response:
    """Ask HAProxy about itself; raises NotAnsweringError."""
    machine, port = lab.load_balancer, lab.topology.ports.haproxy_stats
    with closing(lab.door(machine, port)) as door:
        try:
            return door.get(path)
        except NotAnsweringError as error:
            what, look = "HAProxy tells its statistics", "journalctl -u haproxy -n 50"
            raise NotAnsweringError(what, error.found, machine.name, look) from error


def servers(lab: Lab) -> dict[str, dict[str, str]]:
    """Return HAProxy's row about each web machine."""
    return {
        row["svname"]: row
        for row in _rows(lab)
        if row["pxname"] == "web" and row["svname"] not in AGGREGATES
    }


def states_of_servers(lab: Lab) -> dict[str, str]:
    """Return UP, DOWN … for each web machine."""
    return {name: row["status"] for name, row in servers(lab).items()}


def requests_received(lab: Lab) -> int:
    """Return how many requests came to the front door, whoever sent them, since HAProxy started."""
    rows = {(row["pxname"], row["svname"]): row for row in _rows(lab)}
    return int(rows["http", "FRONTEND"]["req_tot"])


def _rows(lab: Lab) -> list[dict[str, str]]:
    text = get(lab, "/;csv").text.removeprefix("# ")
    return list(csv.DictReader(text.splitlines()))
