"""The site as a visitor meets it: HTTP to the load balancer, or past it to one web machine."""

import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests

from checks.expectations import NotAnsweringError, expect_equal
from checks.ways import Way
from provision.topology import Machine

CONNECT_TIMEOUT_S = 3
TIMEOUT_S = 10
SERVED_BY = "X-Served-By"


class Door:
    """One machine's HTTP port, over a connection that is kept."""

    def __init__(self, machine: Machine, way: Way, domain: str) -> None:
        self.machine = machine
        self.way = way
        self.domain = domain
        self.session = requests.Session()
        self.session.trust_env = False

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any
    ) -> requests.Response:
        """Send a request for the domain; a redirect is not followed.

        Raises NotAnsweringError where no answer comes.
        """
        try:
            return self.session.request(
                method,
                self._origin() + path,
                headers={"Host": self.domain} | (headers or {}),
                timeout=(CONNECT_TIMEOUT_S, TIMEOUT_S),
                allow_redirects=False,
                **more,
            )
        except OSError as error:  # RequestException is one, too
            name = self.machine.name
            raise NotAnsweringError(
                f"HTTP on {name} answers",
                self.way.complaint() or words_of(error),
                name,
                "systemctl status nginx haproxy app",
            ) from error

    def get(self, path: str, headers: dict[str, str] | None = None) -> requests.Response:
        """Send a GET request."""
        return self.request("GET", path, headers)

    def turns(
        self, count: int, path: str = "/healthz", headers: dict[str, str] | None = None
    ) -> list[str]:
        """Say who served each of so many requests, one after the other."""
        return [served_by(self.get(path, headers)) for _ in range(count)]

    def close(self) -> None:
        """Hang up."""
        self.session.close()

    def _origin(self) -> str:
        host, port = self.way.open()
        return f"http://{host}:{port}"


def words_of(error: OSError) -> str:
    """Say what went wrong without the layers of libraries around it."""
    said = str(error)
    if not isinstance(error, requests.RequestException):
        return said
    errno = said.find("[Errno")
    return said[errno:].rstrip(")'\" ") if errno >= 0 else f"{type(error).__name__}: {said[:120]}"


def served_by(response: requests.Response) -> str:
    """Say which machine answered; what is no success counts as its status."""
    if not response.ok:
        return f"status {response.status_code}"
    return response.headers.get(SERVED_BY, f"no {SERVED_BY}")


def even_share(names: list[str], requests_sent: int) -> Counter[str]:
    """Return what exact round robin gives."""
    return Counter({name: requests_sent // len(names) for name in names})


@dataclass(frozen=True)
class Written:
    """A row that was acknowledged, and when (time.monotonic)."""

    id: int
    text: str
    at: float = field(compare=False)


def write(door: Door) -> Written:
    """Post a message that occurs once, with letters beyond ASCII, and return its row."""
    text = f"inv verify wrote this: ü 漢 🙂 {uuid.uuid4()}"
    response = door.request("POST", "/api/messages", json={"author": "inv verify", "text": text})
    expect_equal("status of POST /api/messages", response.status_code, 201)
    return Written(int(response.json()["id"]), text, time.monotonic())
