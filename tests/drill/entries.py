"""Ledger entries, short to write."""

from provision.drill.ledger import Entry, Outcome

BOOT = 1_000_000.0


def entry(
    outcome: Outcome, began: float, ended: float, text: str = "", *, writer: int = 1
) -> Entry:
    return Entry(
        writer=writer,
        number=1,
        text=text or f"{outcome} {began}",
        began_at=BOOT + began,
        ended_at=BOOT + ended,
        began=began,
        ended=ended,
        outcome=outcome,
    )


def acknowledged(*moments: float) -> list[Entry]:
    """Writes that were acknowledged at these moments, 10 ms after they began."""
    return [entry(Outcome.ACKNOWLEDGED, moment - 0.01, moment) for moment in moments]
