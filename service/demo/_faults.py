"""Rough weather for a stand-in: calls that fail, or succeed without anybody hearing of it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_VENDORS: Final = ("jira", "forum", "chat", "github")
_PAUSE: Final = 30
"""Seconds that a 429 asks for: too long to be waited for on the spot, so that it is the queue that comes back."""

_EARLY, _LATE = 5, 40
"""Between which of a vendor's calls the faults of one time come."""


@dataclass(frozen=True)
class Answer:
    """What a call is answered with. headers: besides the length of the body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Spoil = Callable[[Answer], Answer | None]
"""What is heard of the true answer; None cuts the connection."""


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    is_done: whether the call is carried out all the same, else there is no true answer to spoil; seconds: how long the
    caller waits.
    """

    name: str
    spoil: Spoil
    is_done: bool = False
    seconds: float = 0.0


def says(status: int, *, is_done: bool = False, **headers: str) -> Fault:
    """That status with an empty body. headers: with underscores for dashes."""
    told = Answer(status, {name.replace("_", "-"): value for name, value in headers.items()})
    return Fault(f"{status} {'after' if is_done else 'before'}", lambda _: told, is_done)


CUT_BEFORE: Final = Fault("cut before", lambda _: None)
CUT_AFTER: Final = Fault("cut after", lambda _: None, is_done=True)
HALF: Final = Fault("half", lambda told: replace(told, body=told.body[: len(told.body) // 2]), is_done=True)
EMPTY: Final = Fault("empty", lambda told: replace(told, body=b""), is_done=True)
PLAIN: Final = Fault("plain", lambda told: replace(told, headers={"content-type": "text/plain"}), is_done=True)
SLOW: Final = Fault("slow", lambda told: told, is_done=True, seconds=0.05)
BUSY: Final = says(429, retry_after=f"{_PAUSE}")
BURST: Final = says(429, retry_after=f"{_PAUSE}", ratelimit_reason="jira-burst-based")
PAGE: Final = Fault(
    "page", lambda _: Answer(200, {"content-type": "text/html"}, b"<!DOCTYPE html><title>Log in</title>")
)
ELSEWHERE: Final = says(302, location="https://login.elsewhere.example/")
SIGNED_OUT: Final = says(401)

PASSING: Final = (
    *(says(status, is_done=is_done) for status in (500, 502, 503) for is_done in (False, True)),
    *(CUT_BEFORE, CUT_AFTER, CUT_AFTER, HALF, EMPTY, PLAIN, SLOW, BUSY, BURST),
)
"""What comes and goes within seconds."""

LASTING: Final = (SIGNED_OUT, PAGE, ELSEWHERE)
"""After what looks like a lost sign-in, Crafty leaves the other side alone for a while."""


@dataclass
class Weather:
    """When one stand-in fails.

    rate: the share of its calls that meet one of PASSING, which chance draws; once: faults by the number of the call,
    the first being 1; has_begun: until then nothing fails; struck: how often each fault came.
    """

    rate: float = 0.0
    chance: Random = field(default_factory=Random)
    once: Mapping[int, Fault] = field(default_factory=dict)
    has_begun: bool = True
    calls: int = 0
    struck: Counter[str] = field(default_factory=Counter)

    def fault(self) -> Fault | None:
        """What the next call meets."""
        if not self.has_begun:
            return None
        self.calls += 1
        is_struck = self.chance.random() < self.rate
        fault = self.once.get(self.calls) or (self.chance.choice(PASSING) if is_struck else None)
        self.struck.update([fault.name] if fault else [])
        return fault


def rough(rate: float, seed: int) -> dict[str, Weather]:
    """The weather of each vendor: that share of passing faults, and each lasting one once; it has yet to begin."""
    return {vendor: _rough(rate, Random(f"{vendor} {seed}")) for vendor in _VENDORS}  # noqa: S311 - plays, keeps no secret


def _rough(rate: float, chance: Random) -> Weather:
    numbers = chance.sample(range(_EARLY, _LATE), len(LASTING))
    return Weather(rate, chance, dict(zip(numbers, LASTING, strict=True)), has_begun=False)


class Exposed:
    """An ASGI application out in the weather."""

    def __init__(self, app: ASGIApp, weather: Weather) -> None:
        self._app = app
        self._weather = weather
        logging.getLogger("uvicorn.error").addFilter(_is_no_cut)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._weather.fault() if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        answer = await self._answer(scope, receive) if fault.is_done else Answer()
        await asyncio.sleep(fault.seconds)
        for message in _messages(fault.spoil(answer)):
            await send(message)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        said: list[Message] = []

        async def listen(message: Message) -> None:
            said.append(message)

        await self._app(scope, receive, listen)
        headers = {name.decode(): value.decode() for name, value in said[0]["headers"] if name != b"content-length"}
        return Answer(said[0]["status"], headers, b"".join(part.get("body", b"") for part in said[1:]))


def _messages(answer: Answer | None) -> Iterator[dict[str, Any]]:
    """Of an answer that begins and never ends nothing is heard but that the connection is cut."""
    told = answer or Answer(headers={"content-type": "application/json"})
    length = str(len(told.body) if answer else 1)
    headers = [(name.encode(), value.encode()) for name, value in {**told.headers, "content-length": length}.items()]
    yield {"type": "http.response.start", "status": told.status, "headers": headers}
    if answer:
        yield {"type": "http.response.body", "body": told.body}


def _is_no_cut(record: logging.LogRecord) -> bool:
    """uvicorn takes a connection that is cut on purpose for a mistake of the application."""
    return "without completing response" not in record.getMessage()
