"""`POST /webhooks/{source}`: reads a delivery within its limits and answers as the contract says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from service.clock import Clock
from service.errors import RedisAway, Rejected
from service.webhooks.intake import Answer, Intake
from service.webhooks.sources import Posted

log = structlog.get_logger()

RETRY_SECONDS: Final = "10"
_BODIES_AT_ONCE: Final = 12
"""How many bodies of the largest size a process holds at once; of usual ones that is many thousands."""


class Room:
    """Room for the bodies of all deliveries that are on their way through this process, in bytes."""

    def __init__(self, size: int) -> None:
        self._left = size

    @contextmanager
    def taker(self) -> Iterator[Callable[[int], None]]:
        """Takes up room for one delivery, bit by bit, until the end of the context; Rejected where there is none."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            taken, self._left = taken + size, self._left - size
            if self._left < 0:
                raise Rejected(503, "too many large deliveries come at once; deliver again")

        try:
            yield take
        finally:
            self._left += taken


def webhook_route(intake: Intake, max_bytes: int, clock: Clock) -> Route:
    """The route for all sources; a plain one, because the decorated kind parses and validates what it need not."""
    room = Room(_BODIES_AT_ONCE * max_bytes)

    async def endpoint(request: Request) -> Response:
        return await _answered(request, lambda: _take(request, intake, max_bytes, room, clock))

    return Route("/webhooks/{source}", endpoint, methods=["POST"])


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """An answer of RFC 9457; a 503 says when to deliver again. members: what it tells besides."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    when = {"Retry-After": RETRY_SECONDS} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(msgspec.json.encode(body), status, {**when, **(headers or {})}, "application/problem+json")


async def _answered(request: Request, take: Callable[[], Awaitable[Answer]]) -> Response:
    try:
        answer = await take()
    except Rejected as rejected:
        source = "unknown" if rejected.status == HTTPStatus.NOT_FOUND else request.path_params["source"]
        log.info("delivery.rejected", source=source, status=rejected.status)
        return problem(rejected.status, rejected.detail)
    except RedisAway:
        log.warning("delivery.not_stored", source=request.path_params["source"])
        return problem(503, "Crafty's store is away for the moment and nothing was stored; deliver again")
    except ClientDisconnect:
        return problem(400, "the body broke off")
    return Response(msgspec.json.encode(answer), 200 if answer.duplicate else 202, media_type="application/json")


async def _take(request: Request, intake: Intake, max_bytes: int, room: Room, clock: Clock) -> Answer:
    source = request.path_params["source"]
    intake.check_configured(source)
    _check_is_json(request, source)
    with room.taker() as take:
        body = await _body_of(request, max_bytes, take)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}
        posted = Posted(headers=headers, token=request.query_params.get("token"), body=body, received=clock())
        return await intake.take(source, posted)


def _check_is_json(request: Request, source: str) -> None:
    """Discourse may say that its JSON is a form; a sender that says nothing is taken at its body."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or kind.endswith("+json")
    if not is_json and not (source == "discourse" and kind == "application/x-www-form-urlencoded"):
        raise Rejected(415, "the content type is not JSON; set it to application/json")


async def _body_of(request: Request, max_bytes: int, take: Callable[[int], None]) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise Rejected(413, f"the body is larger than {max_bytes} bytes")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise Rejected(413, f"the body is larger than {max_bytes} bytes")
        take(len(part))
        parts.append(part)
    return b"".join(parts)
