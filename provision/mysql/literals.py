"""Text within statements; the database agent has this module too, by a link."""


def literal(text: str) -> str:
    """A string literal, safe whatever NO_BACKSLASH_ESCAPES says; for what takes no parameters."""
    if "\\" in text:
        raise ValueError("a backslash reads differently under NO_BACKSLASH_ESCAPES")
    return "'" + text.replace("'", "''") + "'"
