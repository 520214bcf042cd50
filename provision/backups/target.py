"""The moment to restore to: before a time, before a transaction, or the newest state."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from provision.errors import QuartetError

_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M")
_ZONE = re.compile(r"\s*(Z|UTC|[+-]\d\d:?\d\d)$")
_GTID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:[a-z_][a-z0-9_]{0,31})?:[1-9]\d*")


@dataclass(frozen=True)
class Target:
    """Where to stop; with neither, nowhere."""

    at: datetime | None = None
    before_gtid: str | None = None

    @property
    def before_us(self) -> int | None:
        """The moment in microseconds since 1970."""
        return round(self.at.timestamp() * 1_000_000) if self.at else None

    def __str__(self) -> str:
        if self.at:
            return f"all that was committed before {told(self.at)}"
        if self.before_gtid:
            return f"all that was committed before transaction {self.before_gtid}"
        return "the newest state in the archives"


def target_of(at: str, before_gtid: str, now: datetime) -> Target:
    """What a person asked for; QuartetError where that makes no sense."""
    if at and before_gtid:
        raise QuartetError("--at", "can't go with --before-gtid", "give one of them")
    if before_gtid:
        gtid = before_gtid.strip().lower()
        if not _GTID.fullmatch(gtid):
            raise QuartetError(
                "--before-gtid", f"{before_gtid!r} is no transaction", "give it as UUID:NUMBER"
            )
        return Target(before_gtid=gtid)
    if not at:
        return Target()
    moment = _moment(at)
    if moment > now:
        raise QuartetError("--at", f"{told(moment)} is still to come", "leave --at out for now")
    return Target(at=moment)


def told(moment: datetime) -> str:
    """A moment in this computer's time zone and in UTC."""
    local, utc = moment.astimezone(), moment.astimezone(UTC)
    form = _FORMS[1] if moment.microsecond else _FORMS[0]
    return f"{local.strftime(form)} {local.tzname()} ({utc.strftime(form)} UTC)"


def _moment(text: str) -> datetime:
    """A time with its zone, or else in this computer's time zone."""
    zone = _ZONE.search(text)
    plain = _ZONE.sub("", text).strip().replace("T", " ")
    for form in _FORMS:
        try:
            naive = datetime.strptime(plain, form)
        except ValueError:
            continue
        return _zoned(naive, zone[1] if zone else "")
    raise QuartetError(
        "--at", f"{text!r} is no time", "give it as '2026-11-21 18:00:00', with ' UTC' if it is"
    )


def _zoned(naive: datetime, zone: str) -> datetime:
    if not zone:
        return naive.astimezone()
    if zone in ("Z", "UTC"):
        return naive.replace(tzinfo=UTC)
    return naive.replace(tzinfo=datetime.strptime(zone, "%z").tzinfo)
