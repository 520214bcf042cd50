"""Writers: threads that post messages at the front door, one after the other, and keep account."""

import json
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Self

import requests

from provision.drill.ledger import Entry, Ledger, Outcome
from provision.errors import QuartetError
from provision.polling import is_reached
from provision.waiting import REMOTE_POLL_INTERVAL_S

TIMEOUT_S = 20.0
AFTER_A_REFUSAL_S = 0.05
OPENS_WITHIN_S = 10.0
AUTHOR = "drill"
# Whoever answers so may have passed the write on before.
_UNDECIDED = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


class Load:
    """So many writers at work, from entering to leaving; `began` and `ended` are monotonic."""

    def __init__(self, door: str, run: str, writers: int, ledger: Ledger) -> None:
        self.began = self.ended = 0.0
        self._url = f"{door}/api/messages"
        self._run = run
        self._ledger = ledger
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(number,), daemon=True)
            for number in range(1, writers + 1)
        ]

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ended = time.monotonic()
        self._done.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S + 5)

    def _write(self, writer: int) -> None:
        number = 0
        with requests.Session() as session:
            while not self._done.is_set():
                number += 1
                text = f"{AUTHOR} {self._run} {writer} {number}"
                entry = post(session, self._url, text, writer, number)
                self._ledger.add(entry)
                if entry.outcome is not Outcome.ACKNOWLEDGED:
                    self._done.wait(AFTER_A_REFUSAL_S)


def post(session: requests.Session, url: str, text: str, writer: int, number: int) -> Entry:
    """Write one message and say what became of it."""
    began_at, began = time.time(), time.monotonic()
    try:
        answer = session.post(url, json={"author": AUTHOR, "text": text}, timeout=TIMEOUT_S)
        status, told = answer.status_code, answer.text
    except requests.RequestException as error:
        status, told = None, f"{type(error).__name__}: {error}"
    ended_at, ended = time.time(), time.monotonic()
    outcome, message_id = judge(status, told)
    return Entry(
        writer=writer,
        number=number,
        text=text,
        began_at=began_at,
        ended_at=ended_at,
        began=began,
        ended=ended,
        outcome=outcome,
        status=status,
        message_id=message_id,
        detail="" if outcome is Outcome.ACKNOWLEDGED else told[:200],
    )


def judge(status: int | None, told: str) -> tuple[Outcome, int | None]:
    """Tell from an answer what became of the write, and the id that it got; None: no answer."""
    if status is None or status in _UNDECIDED:
        return Outcome.UNDECIDED, None
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Outcome.REFUSED, None
    message_id = _id(told) if status == HTTPStatus.CREATED else None
    return (Outcome.FAILED if message_id is None else Outcome.ACKNOWLEDGED), message_id


def _id(told: str) -> int | None:
    try:
        body = json.loads(told)
    except ValueError:
        return None
    found = body.get("id") if isinstance(body, Mapping) else None
    return found if isinstance(found, int) else None


def check_the_door(door: str, run: str) -> None:
    """Write once before anything is broken; QuartetError where that doesn't work.

    The load balancers may need a moment to find servers that have just been healed.
    """
    answers: list[Entry] = []

    def is_open() -> bool:
        with requests.Session() as session:
            answers.append(post(session, f"{door}/api/messages", f"{AUTHOR} {run} 0 0", 0, 0))
        return answers[-1].outcome is Outcome.ACKNOWLEDGED

    if not is_reached(is_open, within_s=OPENS_WITHIN_S, poll_s=REMOTE_POLL_INTERVAL_S):
        raise QuartetError(
            door,
            f"takes no message: {answers[-1].status or 'no answer'} {answers[-1].detail}",
            "the drill writes to the example application, through a system that works:"
            " ./lab verify",
        )
