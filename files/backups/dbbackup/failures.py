"""What can go wrong, in words that a person can act on."""


class BackupError(Exception):
    """Something that a person can act on: what, and what to do next."""

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what + (f"\n  next: {next_step}" if next_step else ""))
