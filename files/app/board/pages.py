"""The HTML pages."""

import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from board.config import Settings
from board.diagram import Diagram
from board.messages import LONGEST_AUTHOR, LONGEST_TEXT, NEWEST, Message
from board.reading import FRESH_SECONDS, Answer
from board.states import State
from board.topology import Topology
from board.web import HttpError, Response

TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True)
class Reading:
    """Messages as one database gave them; there is no answer when none did.

    `waits` says whether the database was given time to catch up with what this session wrote.
    """

    answer: Answer[list[Message]] | None
    problem: str = ""
    waits: bool = True

    @property
    def messages(self) -> list[Message]:
        """The messages, if any."""
        return self.answer.result if self.answer else []

    @property
    def database(self) -> str | None:
        """The database that gave them."""
        return self.answer.database if self.answer else None


@dataclass(frozen=True)
class Pages:
    """Renders pages for one web machine."""

    settings: Settings
    topology: Topology
    templates: Environment = field(init=False, repr=False)

    def __post_init__(self) -> None:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.update(
            domain=self.topology.domain,
            machine=self.settings.machine,
            release=self.settings.release,
            longest_author=LONGEST_AUTHOR,
            longest_text=LONGEST_TEXT,
            newest=NEWEST,
            fresh_seconds=FRESH_SECONDS,
        )
        object.__setattr__(self, "templates", environment)

    def board(
        self,
        reading: Reading,
        states: list[State],
        *,
        status: HTTPStatus = HTTPStatus.OK,
        form: dict[str, str] | None = None,
        problem: str = "",
        fields: dict[str, str] | None = None,
    ) -> Response:
        """Render the board; form, problem and fields are for one that could not be stored."""
        return self._page(
            "board.html",
            status,
            diagram=Diagram.of(self.topology, states, self.settings.machine, reading.database),
            reading=reading,
            states=states,
            writable=any(state.role == "primary" for state in states),
            form={"nonce": secrets.token_hex(16)} | (form or {}),
            problem=problem,
            fields=fields or {},
        )

    def error(self, error: HttpError) -> Response:
        """Render a page that says what is wrong."""
        response = self._page(
            "error.html", error.status, status=error.status, message=error.message
        )
        response.headers |= error.headers
        return response

    def _page(self, template: str, code: HTTPStatus, **values: object) -> Response:
        html = self.templates.get_template(template).render(values)
        return Response(html.encode(), status=code)
