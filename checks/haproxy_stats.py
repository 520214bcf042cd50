"""What HAProxy says about itself: on its private port, or on its socket on web machines."""

import csv
from contextlib import closing
from dataclasses import dataclass

import requests

from checks.expectations import NotAnsweringError
from checks.lab import Lab
from provision.topology import Machine

AGGREGATES = ("FRONTEND", "BACKEND")
DETOURS = ("wretr", "wredis", "chkdown")
"""A request that was sent again, or to another server, and a server that went down."""
# Python is on every web machine, other programs that speak to such sockets are not.
ASK_SOCKET = """
import socket
with socket.socket(socket.AF_UNIX) as admin:
    admin.settimeout(5)
    admin.connect("/run/haproxy/admin.sock")
    admin.sendall(b"show stat\\n")
    print(b"".join(iter(lambda: admin.recv(65536), b"")).decode())
"""


@dataclass(frozen=True)
class Traffic:
    """How many requests came to the front door, whoever sent them; how many made a detour."""

    requests: int
    detours: int


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
    return {row["svname"]: row for row in _rows(lab) if _is_web(row)}


def states_of_servers(lab: Lab) -> dict[str, str]:
    """Return UP, DOWN … for each web machine."""
    return {name: row["status"] for name, row in servers(lab).items()}


def traffic(lab: Lab) -> Traffic:
    """Return what HAProxy has counted since it started."""
    rows = _rows(lab)
    front = next(row for row in rows if (row["pxname"], row["svname"]) == ("http", "FRONTEND"))
    counts = [row.get(each) for row in rows if _is_web(row) for each in DETOURS]
    return Traffic(int(front["req_tot"]), sum(int(count or 0) for count in counts))


def servers_up(lab: Lab, machine: Machine, backend: str) -> set[str]:
    """Name the servers of a backend that the HAProxy on this machine has up."""
    rows = _table(lab.root(machine).check_output("python3 -c %s", ASK_SOCKET))
    return {
        row["svname"]
        for row in rows
        if row["pxname"] == backend
        and row["svname"] not in AGGREGATES
        and row["status"].startswith("UP")
    }


def _is_web(row: dict[str, str]) -> bool:
    return row["pxname"] == "web" and row["svname"] not in AGGREGATES


def _rows(lab: Lab) -> list[dict[str, str]]:
    return _table(get(lab, "/;csv").text)


def _table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.removeprefix("# ").splitlines()))
