"""What every web application needs, and no more: requests, responses, routes, limits."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LARGEST_BODY = 64 * 1024
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

HEADERS = {
    "Cache-Control": "no-store",
    # No inline script or style anywhere, nothing from elsewhere, no framing.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    # Not no-referrer: that makes browsers send "Origin: null" with our own form.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

log = logging.getLogger(__name__)


class HttpError(Exception):
    """The request can't be answered as asked."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


@dataclass
class Response:
    """What goes back."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)


def json_response(
    data: object,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with JSON."""
    body = json.dumps(data, ensure_ascii=False).encode() + b"\n"
    return Response(body, JSON, status, dict(headers or {}))


def see_other(location: str) -> Response:
    """Send the browser on with a GET, so that a reload repeats no write."""
    return Response(b"", status=HTTPStatus.SEE_OTHER, headers={"Location": location})


class Request:
    """A request, read from the WSGI environment."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self.environ = environ
        self.method = str(environ["REQUEST_METHOD"])
        self.path = str(environ.get("PATH_INFO") or "/")

    @property
    def is_api(self) -> bool:
        """Whether errors are wanted as JSON."""
        return self.path.startswith("/api/")

    def query(self, name: str) -> str | None:
        """Return a query parameter."""
        values = _decoded(str(self.environ.get("QUERY_STRING", "")))
        return values.get(name)

    @property
    def cookies(self) -> str:
        """The Cookie header, or nothing."""
        return str(self.environ.get("HTTP_COOKIE", ""))

    def form(self) -> dict[str, str]:
        """Read a form; raises HttpError 400, 413 or 415."""
        return _decoded(self._text(FORM))

    def json(self) -> dict[str, Any]:
        """Read a JSON object; raises HttpError 400, 413 or 415."""
        try:
            data = json.loads(self._text(JSON))
        except (ValueError, RecursionError) as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise HttpError(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
        return data

    def refuse_other_sites(self) -> None:
        """Refuse what another site's page sent; raises HttpError 403.

        Browsers say where a POST comes from, in Sec-Fetch-Site (over HTTPS) and in Origin; whoever
        sends neither is no browser that could be tricked.
        """
        site = self.environ.get("HTTP_SEC_FETCH_SITE")
        origin = self.environ.get("HTTP_ORIGIN")
        host = str(self.environ.get("HTTP_HOST", "")).lower()
        from_here = site in (None, "same-origin", "none")
        if origin is not None and site is None:
            from_here = _host_of(str(origin)) == host
        if not from_here:
            raise HttpError(HTTPStatus.FORBIDDEN, "this form was sent by a page of another site")

    def _text(self, content_type: str) -> str:
        given = str(self.environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
        if given != content_type:
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"the body must be {content_type}",
                {"Accept": content_type},
            )
        try:
            return self._body().decode("utf-8")
        except UnicodeDecodeError as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from error

    def _body(self) -> bytes:
        length = str(self.environ.get("CONTENT_LENGTH") or "")
        if length and not (length.isascii() and length.isdigit()):
            raise HttpError(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
        # A chunked body has no length; only some servers mark its end, so ask for no more.
        unknown = LARGEST_BODY + 1 if self.environ.get("wsgi.input_terminated") else 0
        size = int(length) if length else unknown
        body = b"" if length and size > LARGEST_BODY else self.environ["wsgi.input"].read(size)
        if max(len(body), int(length or 0)) > LARGEST_BODY:
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LARGEST_BODY} bytes"
            )
        return bytes(body)


Handler = Callable[..., Response]


class Router:
    """Finds the handler of a method and a path."""

    def __init__(self, routes: Iterable[tuple[str, str, Handler]]) -> None:
        self._routes = [(method, re.compile(path), handler) for method, path, handler in routes]

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """Return handler and path parameters; raises HttpError 404 or 405."""
        found = {
            allowed: (handler, match.groupdict())
            for allowed, pattern, handler in self._routes
            if (match := pattern.fullmatch(path))
        }
        if not found:
            raise HttpError(HTTPStatus.NOT_FOUND, "there is no such page")
        if "GET" in found:
            found["HEAD"] = found["GET"]
        if method not in found:
            allowed = ", ".join(sorted(found))
            raise HttpError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allowed}", {"Allow": allowed}
            )
        return found[method]


class Application:
    """A WSGI application: routes, and a handler for what goes wrong."""

    def __init__(
        self, router: Router, error_page: Callable[[Request, HttpError], Response]
    ) -> None:
        self._router = router
        self._error_page = error_page

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        response = self._answer(request)
        status = response.status
        headers = HEADERS | {"Content-Length": str(len(response.body))} | response.headers
        if response.body:
            headers["Content-Type"] = response.content_type
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [] if request.method == "HEAD" else [response.body]

    def _answer(self, request: Request) -> Response:
        try:
            handler, parameters = self._router.find(request.method, request.path)
            return handler(request, **parameters)
        except HttpError as error:
            return self._error_page(request, error)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            failure = HttpError(
                HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; the log says what"
            )
            return self._error_page(request, failure)


def _decoded(text: str) -> dict[str, str]:
    try:
        values = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the form can't be read") from error
    return {name: given[-1] for name, given in values.items()}


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
