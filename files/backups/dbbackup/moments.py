"""Moments, always in UTC, as text that sorts."""

from datetime import UTC, datetime, timedelta

_TEXT = "%Y-%m-%dT%H:%M:%SZ"
_NAME = "%Y%m%dT%H%M%SZ"


def now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


def as_text(moment: datetime) -> str:
    """A moment in whole seconds: 2026-11-21T18:00:00Z."""
    return moment.astimezone(UTC).strftime(_TEXT)


def as_name(moment: datetime) -> str:
    """The same without what a file's name should not have."""
    return moment.astimezone(UTC).strftime(_NAME)


def from_text(text: str) -> datetime:
    """The moment that `as_text` wrote."""
    return datetime.strptime(text, _TEXT).replace(tzinfo=UTC)


def from_seconds(seconds: int) -> datetime:
    """The moment so many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def last_due(at: str, moment: datetime) -> datetime:
    """When it was last this time of day (HH:MM) in the machine's own time zone."""
    hour, minute = map(int, at.split(":"))
    today = moment.astimezone().replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (today if today <= moment else today - timedelta(days=1)).astimezone(UTC)
