"""How each call is let in and read, and how it is answered where something is wrong (RFC 9457)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from fastapi import Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from starlette.responses import Response

from service.admin.auth import TooManyGuessesError, Visitor, WrongTokenError
from service.admin.office import Office
from service.errors import CraftyError, RedisAway, Rejected
from service.log import Scrub
from service.steering import GoneError, StaleError, UnderWayError
from service.toml_problems import sentence
from service.tuning import CannotTuneError, Mistake
from service.webhooks.routes import problem

bearer: Final = HTTPBearer(
    auto_error=False, description="A token of CRAFTY_ADMIN_TOKENS or CRAFTY_VIEWER_TOKENS. Viewers may only GET."
)

Receive = Callable[[], Awaitable[Any]]


class WrongCallError(CraftyError):
    """A value of the call that can't be right, for each mistake."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class ForgottenError(CraftyError):
    """It was here, and is not kept any more."""


class ViewerError(CraftyError):
    """A viewer asks for what only admins may do."""


_STATUS: Final[Mapping[type[CraftyError], int]] = {
    WrongTokenError: 401,
    ViewerError: 403,
    GoneError: 404,
    UnderWayError: 409,
    ForgottenError: 410,
    StaleError: 412,
    CannotTuneError: 422,
    WrongCallError: 422,
    TooManyGuessesError: 429,
    RedisAway: 503,
}
_EXPECTED: Final[tuple[type[CraftyError], ...]] = (Rejected, *_STATUS)
_HEADERS: Final = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "60"}}

_MEANING: Final = {
    400: "The body is not JSON",
    401: "The token is missing or nobody's",
    403: "Only admins may do this",
    404: "There is no such thing",
    409: "That can't be done to it now",
    410: "It is not kept any more",
    412: "Somebody else has changed it since",
    413: "The body is too large",
    415: "The body's type is not JSON",
    422: "A value can't be right; `errors` names each",
    429: "Too many wrong tokens came from this address",
    503: "Redis is away; nothing was done",
}


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    class Wrong(BaseModel):
        """One value that can't be right."""

        key: str = Field(examples=["params.reminder_lead"])
        detail: str

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="What is wrong and how to mend it.")
    errors: list[Wrong] = []


def answers(
    *more: int, example: Any = None, status: int = 200, **parts: dict[str, Any]
) -> dict[int | str, dict[str, Any]]:
    """What a call can answer, for the OpenAPI document: the good answer with an example, and each kind of problem.

    more: the statuses of problems that not every call can have; parts: more of the good answer, such as its headers.
    """
    problems: dict[int | str, dict[str, Any]] = {one: _told(one) for one in sorted({401, 422, 429, 503, *more})}
    if example is None:
        return problems
    return {status: {"content": {"application/json": {"example": example}}, **parts}, **problems}


CHANGES: Final = (403,)
"""What a call that changes something can answer besides."""

BODY: Final = (400, 413, 415)
"""What a call with a body can answer besides."""


def _told(status: int) -> dict[str, Any]:
    example = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": _MEANING[status]}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": _MEANING[status],
        "content": {"application/problem+json": {"schema": schema, "example": example}},
    }


class _Call(Request):
    """A request whose JSON is read strictly: UTF-8, no NaN, no half characters."""

    async def json(self) -> Any:
        try:
            return msgspec.json.decode(await self.body())
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise HTTPException(400, "the body is not JSON in UTF-8") from None


class Guarded(APIRoute):
    """Lets in only who may do this, reads no more than the settings allow, and answers every error as a problem.

    What is left blank in the query counts as left out.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Called by FastAPI once for each route."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            scrub = the_office(request).scrub
            try:
                await _admit(request)
                return await handle(self._readable(request))
            except RequestValidationError as error:
                return _wrong(_mistakes_of(error), scrub)
            except _EXPECTED as error:
                return _problem_of(error, scrub)

        return guarded

    def _readable(self, request: Request) -> Request:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.body_field and kind != "application/json" and not kind.endswith("+json"):
            raise HTTPException(415, "the body's type is not JSON; set Content-Type to application/json")
        request.scope["query_string"] = urlencode(parse_qsl(request.scope["query_string"].decode("latin-1"))).encode()
        return _Call(request.scope, _limited(request.receive, the_office(request).settings.max_body_bytes))


def the_office(request: Request) -> Office:
    """What the application was made with."""
    office: Office = request.app.state.office
    return office


def _visitor(request: Request) -> Visitor:
    visitor: Visitor = request.state.visitor
    return visitor


OfficeHere = Annotated[Office, Depends(the_office)]
VisitorHere = Annotated[Visitor, Depends(_visitor)]


async def _admit(request: Request) -> None:
    keeper, shown = the_office(request).doorkeeper, await bearer(request)
    if not keeper.admins and not keeper.viewers:
        raise WrongTokenError("nobody has a token yet; set CRAFTY_ADMIN_TOKENS to name:token pairs and start again")
    if shown is None:
        raise WrongTokenError("this needs a token; send it as Authorization: Bearer <token>")
    origin = request.client.host if request.client else "a local socket"
    visitor = await keeper.admit(shown.credentials, origin)
    if visitor.role != "admin" and request.method != "GET":
        raise ViewerError(f"{visitor.name} may look, not change; ask somebody with a token of CRAFTY_ADMIN_TOKENS")
    request.state.visitor = visitor


def _limited(receive: Receive, limit: int) -> Receive:
    """The same body, but for what is longer than so many bytes."""
    size = 0

    async def limited() -> Any:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise HTTPException(413, f"the body is larger than {limit} bytes")
        return message

    return limited


def _problem_of(error: CraftyError, scrub: Scrub) -> Response:
    if isinstance(error, CannotTuneError | WrongCallError):
        return _wrong(error.mistakes, scrub)
    status = error.status if isinstance(error, Rejected) else _STATUS[type(error)]
    return problem(status, scrub(str(error)), _HEADERS.get(status))


def _wrong(mistakes: Sequence[Mistake], scrub: Scrub) -> Response:
    errors = [{"key": scrub(one.key), "detail": scrub(one.what)} for one in mistakes]
    return problem(422, scrub("; ".join(map(str, mistakes))), errors=errors)


def _mistakes_of(error: RequestValidationError) -> list[Mistake]:
    return [
        Mistake(".".join(map(str, details["loc"][1:])) or "body", _needed(details["type"]) or sentence(details, ()))
        for details in error.errors()
    ]


def _needed(kind: str) -> str:
    return "is needed" if kind == "missing" else ""
