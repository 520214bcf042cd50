"""The routes: what each page and each API call does."""

from http import HTTPStatus
from typing import Any

from board import fresh, messages
from board.config import Settings
from board.connection import Connection
from board.database import Databases, ask
from board.errors import UnavailableError, WritesPausedError, WriteUndecidedError
from board.messages import Draft, InvalidError, Message, Stored
from board.pages import Pages, Reading
from board.pool import Result, Work
from board.reading import Answer
from board.topology import Topology
from board.web import (
    Application,
    HttpError,
    Request,
    Response,
    Router,
    json_response,
    see_other,
)

HIGHEST_ID = 2**63 - 1
RETRY_LATER = {"Retry-After": "5"}

PAUSED = "Writes are paused: {}. Your message was not stored. Reading goes on."
UNDECIDED = (
    "Undecided: {}. Your message may or may not have been stored. Look for it on the board"
    " before you send it again."
)
SAME_FORM = " Sending this very form again stores it once."


class Board:
    """The message board on one web machine."""

    def __init__(self, settings: Settings, topology: Topology, databases: Databases) -> None:
        self.settings = settings
        self.topology = topology
        self.databases = databases
        self.pages = Pages(settings, topology)
        self.cookie = fresh.Cookie(settings.session_secret)

    def application(self) -> Application:
        """Put routes and handlers together."""
        message = r"/api/messages/(?P<message_id>[1-9][0-9]{0,18})"
        router = Router(
            [
                ("GET", "/", self.show_board),
                ("POST", "/messages", self.post_form),
                ("GET", "/api/messages", self.list_messages),
                ("POST", "/api/messages", self.post_message),
                ("GET", message, self.show_message),
                ("GET", "/api/topology", self.show_topology),
                ("GET", "/api/whoami", self.who_am_i),
                ("GET", "/healthz", self.liveness),
                ("GET", "/readyz", self.readiness),
            ]
        )
        return Application(router, self.show_error)

    # Pages

    def show_board(self, request: Request) -> Response:
        """GET /[?fresh=off]: the system and its messages."""
        reading = self._reading(request)
        status = HTTPStatus.OK if reading.answer else HTTPStatus.SERVICE_UNAVAILABLE
        page = self.pages.board(reading, self.databases.states.now(), status=status)
        return self._forgetting(page, reading.answer)

    def post_form(self, request: Request) -> Response:
        """POST /messages: store, then show the board."""
        request.refuse_other_sites()
        form = request.form()
        try:
            stored, _ = self._store(form)
        except InvalidError as error:
            return self._board_again(request, form, HTTPStatus.BAD_REQUEST, fields=error.fields)
        except HttpError as error:
            is_undecided = error.status is HTTPStatus.GATEWAY_TIMEOUT
            problem = error.message + (SAME_FORM if is_undecided else "")
            return self._board_again(request, form, error.status, problem)
        return self._remembering(see_other("/"), request, stored)

    def show_error(self, request: Request, error: HttpError) -> Response:
        """Say what is wrong, as JSON to programs and as a page to people."""
        if request.is_api:
            return json_response({"error": error.message}, error.status, error.headers)
        return self.pages.error(error)

    # JSON

    def list_messages(self, request: Request) -> Response:
        """GET /api/messages[?fresh=off]: the newest messages."""
        answer = self._read(request, messages.newest)
        listed = [message.as_json() for message in answer.result]
        return self._forgetting(json_response({"messages": listed} | self._told(answer)), answer)

    def post_message(self, request: Request) -> Response:
        """POST /api/messages: store {author, text}."""
        request.refuse_other_sites()
        try:
            stored, database = self._store(request.json())
        except InvalidError as error:
            problem = {"error": str(error), "fields": error.fields}
            return json_response(problem, HTTPStatus.BAD_REQUEST)
        response = json_response(
            {"id": stored.id, "served_by": self._served_by(database)},
            HTTPStatus.CREATED,
            {"Location": f"/api/messages/{stored.id}"},
        )
        return self._remembering(response, request, stored)

    def show_message(self, request: Request, message_id: str) -> Response:
        """GET /api/messages/ID[?fresh=off]: one message; ?database=NAME asks that database."""
        answer = self._find(request, _id(message_id))
        if answer.result is None:
            raise HttpError(HTTPStatus.NOT_FOUND, f"{answer.database} has no message {message_id}")
        found = json_response(answer.result.as_json() | self._told(answer))
        return self._forgetting(found, answer)

    def show_topology(self, request: Request) -> Response:
        """GET /api/topology: the machines, and how each database is right now."""
        states = [vars(state) for state in self.databases.states.now()]
        served_by = self._served_by(self._reader())
        return json_response(
            self.topology.as_json() | {"databases": states, "served_by": served_by}
        )

    def who_am_i(self, request: Request) -> Response:
        """GET /api/whoami: who serves this very request; database is null when none answers."""
        return json_response(self._served_by(self._reader()) | {"release": self.settings.release})

    # Health

    def liveness(self, request: Request) -> Response:
        """GET /healthz: 200 while the process lives; touches no database."""
        return json_response({"alive": True, "release": self.settings.release})

    def readiness(self, request: Request) -> Response:
        """GET /readyz: 200 while at least one database answers a read."""
        try:
            answer = self.databases.reader.read(messages.are_readable)
        except UnavailableError as error:
            reason = {"ready": False, "reason": str(error)}
            return json_response(reason, HTTPStatus.SERVICE_UNAVAILABLE)
        return json_response({"ready": True, "database": answer.database})

    # Helpers

    def _reading(self, request: Request) -> Reading:
        """Read the newest messages, to be shown with whatever prevents it."""
        waits = _waits(request)
        try:
            answer = self.databases.reader.read(
                messages.newest, self._session(request), waits=waits
            )
        except UnavailableError as error:
            return Reading(None, problem=str(error))
        return Reading(answer, waits=waits)

    def _read(self, request: Request, work: Work[Result]) -> Answer[Result]:
        try:
            return self.databases.reader.read(work, self._session(request), waits=_waits(request))
        except UnavailableError as error:
            raise _unavailable(error) from error

    def _board_again(
        self,
        request: Request,
        form: dict[str, str],
        status: HTTPStatus,
        problem: str = "",
        fields: dict[str, str] | None = None,
    ) -> Response:
        """Show the board with what was typed still in the form, and what is wrong with it."""
        return self.pages.board(
            self._reading(request),
            self.databases.states.now(),
            status=status,
            form=form,
            problem=problem,
            fields=fields,
        )

    def _store(self, fields: dict[str, Any]) -> tuple[Stored, str]:
        draft = Draft.checked(fields)
        token = draft.token(fields.get("nonce"))
        try:
            return self.databases.writer.write(
                lambda connection: messages.store(connection, draft, self.settings.machine, token)
            )
        except WritesPausedError as error:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE, PAUSED.format(error), RETRY_LATER
            ) from error
        except WriteUndecidedError as error:
            raise HttpError(HTTPStatus.GATEWAY_TIMEOUT, UNDECIDED.format(error)) from error

    def _find(self, request: Request, message_id: int) -> Answer[Message | None]:
        def find(connection: Connection, /) -> Message | None:
            return messages.find(connection, message_id)

        database = request.query("database")
        if not database:
            return self._read(request, find)
        server = self.databases.named(database)
        if server is None:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"there is no database {database!r}")
        try:
            return ask(server, find)
        except UnavailableError as error:
            raise _unavailable(error) from error

    def _reader(self) -> str | None:
        try:
            return self.databases.reader.read(messages.are_readable).database
        except UnavailableError:
            return None

    # What a session wrote

    def _session(self, request: Request) -> fresh.Gtids:
        return self.cookie.read(request.cookies) if self.settings.fresh_reads else ()

    def _remembering(self, response: Response, request: Request, stored: Stored) -> Response:
        """Let the session's next reads wait for this write."""
        if stored.gtid and self.settings.fresh_reads:
            gtids = fresh.merged(self._session(request), stored.gtid)
            response.headers["Set-Cookie"] = self.cookie.header(gtids)
        return response

    def _forgetting(self, response: Response, answer: Answer[Any] | None) -> Response:
        """Let nobody wait for writes that the primary itself does not have."""
        if answer and answer.is_gone:
            response.headers["Set-Cookie"] = self.cookie.header(())
        return response

    def _told(self, answer: Answer[Any]) -> dict[str, Any]:
        return {"fresh": answer.is_fresh, "served_by": self._served_by(answer.database)}

    def _served_by(self, database: str | None) -> dict[str, str | None]:
        return {"web": self.settings.machine, "database": database}


def _waits(request: Request) -> bool:
    value = request.query("fresh") or "on"
    if value not in ("on", "off"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "fresh is on or off")
    return value == "on"


def _unavailable(error: UnavailableError) -> HttpError:
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, str(error), RETRY_LATER)


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST_ID))):
        raise HttpError(HTTPStatus.BAD_REQUEST, "the id of a message is a number")
    return min(int(text), HIGHEST_ID)
