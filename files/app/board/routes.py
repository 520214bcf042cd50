"""The routes: what each page and each API call does."""

from http import HTTPStatus
from typing import Any

from board import messages
from board.config import Settings
from board.connection import Connection
from board.database import (
    Databases,
    Server,
    UnavailableError,
    WritesPausedError,
    WriteUndecidedError,
)
from board.messages import Draft, InvalidError, Message
from board.pages import Pages, Reading
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


class Board:
    """The message board on one web machine."""

    def __init__(self, settings: Settings, topology: Topology, databases: Databases) -> None:
        self.settings = settings
        self.topology = topology
        self.databases = databases
        self.pages = Pages(settings, topology)

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
        """GET /: the system and its messages."""
        reading = self._reading(_after(request))
        status = HTTPStatus.OK if reading.database else HTTPStatus.SERVICE_UNAVAILABLE
        return self.pages.board(reading, self.databases.states(), status=status)

    def post_form(self, request: Request) -> Response:
        """POST /messages: store, then show the board from a database that has the message."""
        request.refuse_other_sites()
        form = request.form()
        try:
            message_id, _ = self._store(form)
        except InvalidError as error:
            return self._board_again(form, HTTPStatus.BAD_REQUEST, fields=error.fields)
        except HttpError as error:
            return self._board_again(form, error.status, problem=error.message)
        return see_other(f"/?after={message_id}")

    def show_error(self, request: Request, error: HttpError) -> Response:
        """Say what is wrong, as JSON to programs and as a page to people."""
        if request.is_api:
            return json_response({"error": error.message}, error.status, error.headers)
        return self.pages.error(error)

    # JSON

    def list_messages(self, request: Request) -> Response:
        """GET /api/messages[?after=ID]: the newest messages."""
        reading = self._reading(_after(request))
        if reading.database is None:
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, reading.problem, RETRY_LATER)
        listed = [message.as_json() for message in reading.messages]
        return json_response(
            {"messages": listed, "served_by": self._served_by(reading.database.name)}
        )

    def post_message(self, request: Request) -> Response:
        """POST /api/messages: store {author, text}."""
        request.refuse_other_sites()
        try:
            message_id, server = self._store(request.json())
        except InvalidError as error:
            problem = {"error": str(error), "fields": error.fields}
            return json_response(problem, HTTPStatus.BAD_REQUEST)
        return json_response(
            {"id": message_id, "served_by": self._served_by(server.name)},
            HTTPStatus.CREATED,
            {"Location": f"/api/messages/{message_id}"},
        )

    def show_message(self, request: Request, message_id: str) -> Response:
        """GET /api/messages/ID[?database=NAME]: one message, if asked from one certain database."""
        found, server = self._find(_id(message_id), request.query("database"))
        if found is None:
            raise HttpError(HTTPStatus.NOT_FOUND, f"{server.name} has no message {message_id}")
        return json_response(found.as_json() | {"served_by": self._served_by(server.name)})

    def show_topology(self, request: Request) -> Response:
        """GET /api/topology: the machines, and how each database is right now."""
        states = [vars(state) for state in self.databases.states()]
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
            _, server = self.databases.read(messages.are_readable)
        except UnavailableError as error:
            reason = {"ready": False, "reason": str(error)}
            return json_response(reason, HTTPStatus.SERVICE_UNAVAILABLE)
        return json_response({"ready": True, "database": server.name})

    # Helpers

    def _reading(self, after: int | None) -> Reading:
        """Read the newest messages; after a write, from a database that has it already."""
        try:
            if after is None:
                listed, server = self.databases.read(messages.newest)
                return Reading(listed, server)
            listed, server, without = self.databases.read_after(
                lambda connection: messages.exists(connection, after), messages.newest
            )
        except UnavailableError as error:
            return Reading([], None, problem=str(error))
        return Reading(
            listed,
            server,
            after=after,
            has_it=server not in without,
            is_from_primary=server is self.databases.primary,
            late=[replica.name for replica in without if replica is not server],
        )

    def _board_again(
        self,
        form: dict[str, str],
        status: HTTPStatus,
        problem: str = "",
        fields: dict[str, str] | None = None,
    ) -> Response:
        """Show the board with what was typed still in the form, and what is wrong with it."""
        reading = self._reading(None)
        return self.pages.board(
            reading,
            self.databases.states(),
            status=status,
            form=form,
            problem=problem,
            fields=fields,
        )

    def _store(self, fields: dict[str, Any]) -> tuple[int, Server]:
        draft = Draft.checked(fields)
        try:
            return self.databases.write(
                lambda connection: messages.store(connection, draft, self.settings.machine)
            )
        except WritesPausedError as error:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE, PAUSED.format(error), RETRY_LATER
            ) from error
        except WriteUndecidedError as error:
            raise HttpError(HTTPStatus.GATEWAY_TIMEOUT, UNDECIDED.format(error)) from error

    def _find(self, message_id: int, database: str | None) -> tuple[Message | None, Server]:
        def find(connection: Connection) -> Message | None:
            return messages.find(connection, message_id)

        server = self.databases.named(database) if database else None
        if database and server is None:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"there is no database {database!r}")
        try:
            return (server.run(find), server) if server else self.databases.read(find)
        except UnavailableError as error:
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, str(error), RETRY_LATER) from error

    def _reader(self) -> str | None:
        try:
            return self.databases.read(messages.are_readable)[1].name
        except UnavailableError:
            return None

    def _served_by(self, database: str | None) -> dict[str, str | None]:
        return {"web": self.settings.machine, "database": database}


def _after(request: Request) -> int | None:
    text = request.query("after")
    return None if text is None else _id(text)


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST_ID))):
        raise HttpError(HTTPStatus.BAD_REQUEST, "the id of a message is a number")
    return min(int(text), HIGHEST_ID)
