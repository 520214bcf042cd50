"""The message board's queries, and what a message may look like."""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from board import fresh
from board.connection import Connection, Row

NEWEST = 50
LONGEST_AUTHOR = 40
LONGEST_TEXT = 500

NONCE = re.compile(r"[0-9a-f]{32}")

COLUMNS = "id, author, text, web, created_at"


class InvalidError(ValueError):
    """A message can't be taken; `fields` says what is wrong with each of its fields."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("; ".join(fields.values()))
        self.fields = fields


@dataclass(frozen=True)
class Draft:
    """A valid message that is not stored yet."""

    author: str
    text: str

    def token(self, nonce: object = None) -> str:
        """Return what marks this message as one and the same, however often it is sent.

        A form carries a nonce of its own, so that sending it twice stores it once; a text that was
        changed in between is another message. Without a nonce every call gives another token.
        """
        if not (isinstance(nonce, str) and NONCE.fullmatch(nonce)):
            return secrets.token_hex(16)
        content = "\0".join((nonce, self.author, self.text))
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    @classmethod
    def checked(cls, fields: Mapping[str, object]) -> "Draft":
        """Check what someone sent; raise InvalidError with all mistakes."""
        mistakes: dict[str, str] = {}
        author = _line(mistakes, fields, "author", LONGEST_AUTHOR, allowed="")
        text = _line(mistakes, fields, "text", LONGEST_TEXT, allowed="\n\t")
        if mistakes:
            raise InvalidError(mistakes)
        return cls(author, text)


@dataclass(frozen=True)
class Message:
    """A stored message; web is the machine that took it, created_at is UTC."""

    id: int
    author: str
    text: str
    web: str
    created_at: datetime

    @classmethod
    def from_row(cls, row: Row) -> "Message":
        """Build it from a database row."""
        return cls(**(row | {"created_at": row["created_at"].replace(tzinfo=UTC)}))

    def as_json(self) -> dict[str, Any]:
        """Give its JSON form."""
        return vars(self) | {"created_at": self.created_at.isoformat()}


@dataclass(frozen=True)
class Stored:
    """A message's id, and the GTID of the transaction that stored it."""

    id: int
    gtid: str | None


def newest(connection: Connection) -> list[Message]:
    """List the newest messages, newest first."""
    rows = connection.rows(f"SELECT {COLUMNS} FROM messages ORDER BY id DESC LIMIT {NEWEST}")  # noqa: S608 (constants)
    return [Message.from_row(row) for row in rows]


def find(connection: Connection, message_id: int) -> Message | None:
    """Find one message."""
    rows = connection.rows(f"SELECT {COLUMNS} FROM messages WHERE id = %s", message_id)  # noqa: S608 (constants)
    return Message.from_row(rows[0]) if rows else None


def are_readable(connection: Connection) -> bool:
    """Whether messages can be read here; raises when they can't."""
    connection.rows("SELECT id FROM messages LIMIT 1")
    return True


def store(connection: Connection, draft: Draft, web: str, token: str) -> Stored:
    """Store a message once, however often this is done with its token.

    A repeat changes the row, so that it too is a transaction: the replicas acknowledge it, and with
    it the first, whose answer may have been lost; and it has a GTID to wait for.
    """
    message_id = connection.insert(
        "INSERT INTO messages (author, text, web, token) VALUES (%s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), attempts = attempts + 1",
        draft.author,
        draft.text,
        web,
        token,
    )
    return Stored(message_id, fresh.own_gtid(connection))


def _line(
    mistakes: dict[str, str], fields: Mapping[str, object], name: str, longest: int, allowed: str
) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        mistakes[name] = f"{name} must be text"
        return ""
    value = value.replace("\r\n", "\n").strip()
    categories = {
        unicodedata.category(character) for character in value if character not in allowed
    }
    if not 1 <= len(value) <= longest:
        mistakes[name] = f"{name} must have 1 to {longest} characters; this has {len(value)}"
    elif not categories.isdisjoint({"Cc", "Cs"}):
        mistakes[name] = f"{name} must not contain control characters"
    elif all(category[0] in "CZ" for category in categories):
        mistakes[name] = f"{name} must have something to see in it"
    return value
