"""The host's clock: who keeps it right, or how far it is from that of the host's package mirror."""

import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError

from provision.doctor.facts.asking import ask
from provision.lab.mirror import FIELDS, find_archive

ANSWER_S = 3.0
CHRONY_OFFSET_FIELD = 4  # of `chronyc -c tracking`: system time, in seconds off NTP time


@dataclass(frozen=True)
class Clock:
    """How far the clock is off, None where nobody could tell; `witness` is who says so."""

    offset_s: float | None
    witness: str


def clock() -> Clock:
    """Ask what is nearest first; only the last of them crosses the network."""
    witnesses = (_timedatectl, _chrony, _mirror)
    answers = (witness() for witness in witnesses)
    return next((answer for answer in answers if answer), Clock(None, ""))


def _timedatectl() -> Clock | None:
    answer = ask(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    return Clock(0.0, "timedatectl") if answer.out.strip() == "yes" else None


def _chrony() -> Clock | None:
    answer = ask(["chronyc", "-c", "tracking"])
    fields = answer.out.split(",")
    if not answer.succeeded or len(fields) <= CHRONY_OFFSET_FIELD or "Not sync" in answer.out:
        return None
    return Clock(float(fields[CHRONY_OFFSET_FIELD]), "chronyc")


def _mirror() -> Clock | None:
    listed = ask(["apt-get", "indextargets", "--format", FIELDS, "Created-By: Packages"])
    archive = find_archive(listed.out) if listed.succeeded else None
    if archive is None or not archive.uri.startswith("http"):
        return None
    offset_s = within(ANSWER_S, lambda: offset_from(archive.uri))
    return None if offset_s is None else Clock(offset_s, "the package mirror's clock")


def offset_from(url: str) -> float | None:
    """Return how many seconds this clock is ahead of a web server's, None if it doesn't say."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 the host's own apt uses it
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
            headers = answer.headers
    except HTTPError as refusal:  # is dated too
        headers = refusal.headers
    date, age = headers["Date"], headers["Age"]
    if not date:
        return None
    return time.time() - parsedate_to_datetime(date).timestamp() - float(age or 0)


def within(seconds: float, question: Callable[[], float | None]) -> float | None:
    """Ask in a thread, for looking up a name has no time-out; None if there is no answer."""
    answers: list[float | None] = []

    def asking() -> None:
        try:
            answers.append(question())
        except (OSError, ValueError):  # no network, no such server, or a Date that is none
            answers.append(None)

    thread = threading.Thread(target=asking, daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None
