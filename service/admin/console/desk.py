"""What every page and every form of the console goes through: who comes, may they, and how the answer looks."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from service.admin.auth import TooManyGuessesError, Visitor, WrongTokenError
from service.admin.console.looks import Looks
from service.admin.console.sessions import LIFE_SECONDS, Sessions, form_token
from service.admin.office import Office
from service.errors import CraftyError, RedisAway, Rejected
from service.steering import GoneError, StaleError, UnderWayError

log = structlog.get_logger()

HOME: Final = "/console"
_SESSION: Final = "crafty-session"
_DOOR: Final = "crafty-door"
_LARGEST_FORM: Final = 256 * 1024
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATUS: Final[Mapping[type[CraftyError], HTTPStatus]] = {
    GoneError: HTTPStatus.NOT_FOUND,
    StaleError: HTTPStatus.CONFLICT,
    UnderWayError: HTTPStatus.CONFLICT,
    TooManyGuessesError: HTTPStatus.TOO_MANY_REQUESTS,
    RedisAway: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True)
class Visit:
    """A request of somebody who is logged in. query, form: each name once; path: the parts of the address by name."""

    visitor: Visitor
    secret: str = field(repr=False)
    query: Mapping[str, str]
    path: Mapping[str, str]
    form: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """What is shown: a template with its values."""

    template: str
    title: str
    values: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True)
class Done:
    """What was done, in a sentence for the page that is shown next. to: that page's address."""

    to: str
    word: str


class Refusal(CraftyError):
    """The request can't be answered as it is wished. status: of HTTP."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


Show = Callable[[Office, Visit], Awaitable[Page]]
Deed = Callable[[Office, Visit], Awaitable[Page | Done]]


class Desk:
    """Makes routes of the functions that show pages and do deeds."""

    def __init__(self, office: Office, looks: Looks) -> None:
        self._office = office
        self._looks = looks
        self._sessions = Sessions(office.redis, office.doorkeeper)

    def page(self, path: str, show: Show) -> Route:
        """A page for whoever is logged in; everybody else is asked to log in first."""

        async def answer(request: Request) -> Response:
            secret, visitor = await self._who(request)
            if visitor is None:
                return _redirect(f"{HOME}/login?next={quote(_address(request))}")
            shown = await show(self._office, _visit(request, visitor, secret, {}))
            return self._render(request, shown, visitor, secret, await self._sessions.take_word(secret))

        return Route(f"{HOME}{path}", self._guarded(answer), methods=["GET"])

    def deed(self, path: str, do: Deed) -> Route:
        """Something that admins do, by a form; what was done is told by the page that is shown next."""

        async def answer(request: Request) -> Response:
            secret, visitor = await self._who(request)
            form = await _form(request, secret)
            if visitor is None:
                raise Refusal(HTTPStatus.FORBIDDEN, "Your session is over. Log in, and try once more.")
            if visitor.role != "admin":
                raise Refusal(HTTPStatus.FORBIDDEN, "Viewers look at everything and change nothing; ask an admin.")
            done = await do(self._office, _visit(request, visitor, secret, form))
            if isinstance(done, Page):
                return self._render(request, done, visitor, secret)
            await self._sessions.leave_word(secret, done.word)
            return _redirect(done.to)

        return Route(f"{HOME}{path}", self._guarded(answer), methods=["POST"])

    def door(self) -> list[Route]:
        """Logging in and out."""
        return [
            Route(f"{HOME}/login", self._guarded(self._ask), methods=["GET"]),
            Route(f"{HOME}/login", self._guarded(self._log_in), methods=["POST"]),
            Route(f"{HOME}/logout", self._guarded(self._log_out), methods=["POST"]),
        ]

    async def _ask(self, request: Request) -> Response:
        return self._login_page(request, request.query_params.get("next", HOME))

    def _login_page(self, request: Request, following: str, error: str = "", status: int = 200) -> Response:
        """Its form is tied to a cookie of its own, since there is no session yet."""
        secret = request.cookies.get(_DOOR) or secrets.token_urlsafe(32)
        page = Page("login.html", "Log in", {"following": following, "error": error}, status)
        response = self._render(request, page, None, secret)
        _set_cookie(request, response, _DOOR, secret)
        return response

    async def _log_in(self, request: Request) -> Response:
        form = await _form(request, request.cookies.get(_DOOR, ""))
        token, following = form.get("token", "").strip(), form.get("next", HOME)
        try:
            visitor = await self._office.doorkeeper.admit(token, _origin(request))
        except WrongTokenError:
            error = "No admin or viewer has this token. Look for a stray space, or ask whoever runs Crafty for yours."
            return self._login_page(request, following, error, HTTPStatus.UNAUTHORIZED)
        except TooManyGuessesError:
            error = "Too many wrong tokens came from your address. Wait a minute, then try again."
            response = self._login_page(request, following, error, HTTPStatus.TOO_MANY_REQUESTS)
            response.headers["Retry-After"] = "60"
            return response
        response = _redirect(_within(following))
        _set_cookie(request, response, _SESSION, await self._sessions.begin(token))
        log.info("console.login", who=visitor.name, role=visitor.role)
        return response

    async def _log_out(self, request: Request) -> Response:
        secret = request.cookies.get(_SESSION, "")
        await _form(request, secret)
        await self._sessions.end(secret)
        response = _redirect(f"{HOME}/login")
        response.delete_cookie(_SESSION, path=HOME)
        return response

    async def _who(self, request: Request) -> tuple[str, Visitor | None]:
        """The secret that the request shows, "" where it shows none, and whose it is."""
        secret = request.cookies.get(_SESSION, "")
        return secret, await self._sessions.visitor(secret, _origin(request)) if secret else None

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The same, with a page for whatever can't be answered, and the headers of every page."""

        async def guarded(request: Request) -> Response:
            try:
                response = await answer(request)
            except CraftyError as error:
                response = await self._refused(request, error)
            response.headers.update(HEADERS)
            return response

        return guarded

    async def _refused(self, request: Request, error: CraftyError) -> Response:
        status = HTTPStatus(_status_of(error))
        try:
            secret, visitor = await self._who(request)
        except RedisAway:
            secret, visitor = "", None
        page = Page("refused.html", status.phrase, {"detail": self._office.scrub(f"{error}")}, status)
        return self._render(request, page, visitor, secret)

    def _render(self, request: Request, page: Page, visitor: Visitor | None, secret: str, word: str = "") -> Response:
        values = {**page.values, "visitor": visitor, "form_token": form_token(secret), "word": word}
        html = self._looks.render(page.template, page.title, request.url.path, values)
        return Response(html, page.status, media_type="text/html")


def _status_of(error: CraftyError) -> int:
    if isinstance(error, Refusal | Rejected):
        return error.status
    return _STATUS.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY)


def _visit(request: Request, visitor: Visitor, secret: str, form: Mapping[str, str]) -> Visit:
    return Visit(visitor, secret, dict(request.query_params), request.path_params, form)


async def _form(request: Request, secret: str) -> Mapping[str, str]:
    """The posted form; raises Refusal where it is forged, which is where it does not carry our own token."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Refusal(HTTPStatus.FORBIDDEN, "This form comes from another site, so nothing was done.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This form holds more than Crafty reads.")
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if not secret or not secrets.compare_digest(form.pop("form_token", "").encode(), form_token(secret).encode()):
        raise Refusal(HTTPStatus.FORBIDDEN, "This form is not valid any more, so nothing was done. Load its page anew.")
    return form


def _address(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _within(address: str) -> str:
    """The address where it is one of the console's pages, else the console's first page."""
    is_ours = address == HOME or address.startswith((f"{HOME}/", f"{HOME}?"))
    return address if is_ours and address.isascii() and address.isprintable() else HOME


def _redirect(to: str) -> Response:
    return RedirectResponse(to, HTTPStatus.SEE_OTHER)


def _origin(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    is_secure = request.url.scheme == "https"
    response.set_cookie(
        name, value, max_age=LIFE_SECONDS, path=HOME, httponly=True, samesite="strict", secure=is_secure
    )
