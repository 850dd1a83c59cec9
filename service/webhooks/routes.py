"""`POST /webhooks/{source}`: reads a delivery within its limits and answers as the contract says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.clock import Clock
from service.errors import RedisAway, Rejected
from service.webhooks.intake import Answer, Intake
from service.webhooks.sources import Posted

log = structlog.get_logger()

PATH: Final = "/webhooks/"
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


class Webhooks:
    """`POST /webhooks/{source}` as an ASGI application."""

    def __init__(self, intake: Intake, max_bytes: int, clock: Clock) -> None:
        self._intake = intake
        self._max_bytes = max_bytes
        self._room = Room(_BODIES_AT_ONCE * max_bytes)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a delivery; the last part of the path names its source."""
        source = scope["path"].removeprefix(PATH)
        try:
            answer = await self._take(source, scope, receive)
        except Rejected as rejected:
            named = "unknown" if rejected.status == HTTPStatus.NOT_FOUND else source
            log.info("delivery.rejected", source=named, status=rejected.status)
            await problem(rejected.status, rejected.detail)(scope, receive, send)
        except RedisAway:
            log.warning("delivery.not_stored", source=source)
            detail = "Crafty's store is away for the moment and nothing was stored; deliver again"
            await problem(503, detail)(scope, receive, send)
        else:
            await _send_json(send, 200 if answer.duplicate else 202, msgspec.json.encode(answer))

    async def _take(self, source: str, scope: Scope, receive: Receive) -> Answer:
        self._intake.check_configured(source)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        _check_is_json(headers.get("content-type", "application/json"), source)
        token = QueryParams(scope["query_string"]).get("token") if scope["query_string"] else None
        with self._room.taker() as take:
            body = await _body_of(receive, headers.get("content-length", "0"), self._max_bytes, take)
            return await self._intake.take(source, Posted(headers, token, body, self._clock()))


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """An answer of RFC 9457; a 503 says when to deliver again. members: what it tells besides."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    when = {"Retry-After": RETRY_SECONDS} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(msgspec.json.encode(body), status, {**when, **(headers or {})}, "application/problem+json")


async def _send_json(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _check_is_json(content_type: str, source: str) -> None:
    """Discourse may say that its JSON is a form; a sender that says nothing is taken at its body."""
    kind = content_type.partition(";")[0].strip().lower()
    is_json = kind == "application/json" or kind.endswith("+json")
    if not is_json and not (source == "discourse" and kind == "application/x-www-form-urlencoded"):
        raise Rejected(415, "the content type is not JSON; set it to application/json")


async def _body_of(receive: Receive, declared: str, max_bytes: int, take: Callable[[int], None]) -> bytes:
    """take: is told of each part's bytes, and may refuse."""
    _check_size(int(declared) if declared.isdecimal() else 0, max_bytes)
    parts: list[bytes] = []
    has_more, size = True, 0
    while has_more:
        part = await receive()
        if part["type"] == "http.disconnect":
            raise Rejected(400, "the body broke off")
        parts.append(part.get("body", b""))
        size, has_more = size + len(parts[-1]), part.get("more_body", False)
        _check_size(size, max_bytes)
        take(len(parts[-1]))
    return b"".join(parts)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Rejected(413, f"the body is larger than {most} bytes")
