"""What all clients share: a pooled connection, typed answers, three kinds of errors and careful retries."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_random,
)

from service.errors import CannotAct, CraftyError, NotFound, NotSignedInError, RedisAway, TryLater
from service.limits import (
    LONGEST_WAIT,
    OPEN,
    SHORTEST_PAUSE,
    UNTOLD_PAUSE,
    Call,
    Gate,
    Limits,
    breather,
    until_reset,
)
from service.log import scrubber
from service.release import own_version

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
"""Waits for that many seconds."""

_SHORT_WAIT: Final = 5.0
_PAGE: Final = 100
_QUOTED_LENGTH: Final = 300
_TIMEOUT: Final = httpx.Timeout(connect=5, read=20, write=10, pool=5)
_REPEATABLE: Final = {"GET", "PUT"}
_GATEWAY: Final = {502, 503, 504}
_PASSING: Final = {408, 409, 425, 429}
_GONE: Final = {404, 410}
_SECONDS: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_QUERY: Final = re.compile(r"\?[^\s?]*=\S*")
_QUERY_OR_FRAGMENT: Final = re.compile(r"[?#].*")
_BEFORE_JSON: Final = b"\xef\xbb\xbf \t\r\n"
_BACKOFF: Final = wait_exponential(multiplier=0.25, max=2) + wait_random(0, 0.25)


class Refused(CannotAct):
    """The service understood the call and said no. status: its HTTP status code."""

    def __init__(self, detail: str, status: int) -> None:
        super().__init__(detail)
        self.status = status


class NotSignedIn(Refused, NotSignedInError):
    """A 401, or a login page in place of an answer: the credential is unknown, or has expired."""


class Moved(NotSignedIn):
    """The service points elsewhere, as to its own address or to a login page; no client follows by itself."""


class _Again(TryLater):
    """A passing fault of a call that may be repeated at once."""


@dataclass(frozen=True)
class Credential:
    """What proves to a service who we are.

    name: the settings that hold it, as an admin knows them; headers: sent with each call; secrets: texts that no
    message may ever show.
    """

    name: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


class _Complaint(msgspec.Struct, rename="camel"):
    """Where the vendors word a refusal: Jira in errorMessages and errors, others in some of these, in many shapes."""

    error_messages: Any = None
    errors: Any = None
    message: Any = None
    description: Any = msgspec.field(name="error_description", default=None)

    def texts(self) -> list[str]:
        return [
            *_texts_in(self.error_messages),
            *_texts_in(self.errors),
            *_texts_in(self.message),
            *_texts_in(self.description),
        ]


def _texts_in(words: Any, name: str = "") -> Iterator[str]:
    """Each text in there, after the name of the field that it is about."""
    match words:
        case str():
            yield f"{name}: {words}" if name else words
        case list():
            for one in words:
                yield from _texts_in(one, name)
        case dict():
            for key, one in words.items():
                yield from _texts_in(one, key)


def under(prefix: str, *names: str | int) -> str:
    """A path with each name as one encoded segment; NotFound for a name that would lead to another resource."""
    for name in map(str, names):
        if name in {"", ".", ".."}:
            raise NotFound(f"“{name}” names nothing under {prefix}.")
    return "/".join([prefix, *(quote(str(name), safe="") for name in names)])


def retry_after(headers: httpx.Headers) -> float | None:
    """The seconds that a Retry-After header asks for, between 0 and an hour; None when it gives no time.

    A date counts from the same answer's own Date, so that a wrong clock on either side does no harm. A blocked user of
    Jira Data Center is told to wait for 9223372036854775807 seconds.
    """
    asked = headers.get("Retry-After", "").strip()
    seconds = float(asked) if _SECONDS.fullmatch(asked) else _seconds_between(headers.get("Date", ""), asked)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def _seconds_between(first: str, last: str) -> float | None:
    try:
        return (parsedate_to_datetime(last) - parsedate_to_datetime(first)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def _pause(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.after if isinstance(fault, TryLater) else None
    return max(_BACKOFF(state), asked or 0.0)


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that we trust, read once for all services."""
    return httpx.create_ssl_context()


class Api:
    """One service over HTTP: a pool of connections with timeouts, no redirects followed, no cookies kept.

    service: its name in messages; base_url: with any context path; sleep: waits between tries; limits: how often it may
    be called, which the gate keeps for all processes. Raises CannotAct when a credential has characters that no header
    can carry.

    Every call ends in one of: an answer; NotFound (404, 410); TryLater (no answer or one that is cut off, 408, 409,
    425, 429, 5xx); NotSignedIn (401, a web page or a redirect); CannotAct (all else, also JSON of a wrong shape). GET
    and PUT are tried up to three times when no answer comes or a gateway fails, any method when a 429 asks for a short
    wait, because then nothing was done. A POST without a clear answer may have happened and is left to the caller.

    Nothing is sent that goes beyond the limits: a call waits for its turn for up to five seconds, and is a TryLater
    where that is not enough. What a service says of its own limits holds for every process from then on. RedisAway
    where the gate can't be asked.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        credential: Credential,
        sleep: Sleep = asyncio.sleep,
        limits: Limits | None = None,
        gate: Gate = OPEN,
    ) -> None:
        if not all(value.isascii() and value.isprintable() for value in credential.headers.values()):
            raise CannotAct(
                f"{credential.name} has a character that can't be sent; copy it again, without line breaks."
            )
        _quieten_wire_logs()
        self._service = service
        self._credential = credential
        self._sleep = sleep
        self._limits = limits or Limits(service.lower())
        self._gate = gate
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"Accept": "application/json", "User-Agent": f"Crafty/{own_version()}", **credential.headers},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=_TIMEOUT,
            verify=_trust(),
        )

    async def aclose(self) -> None:
        """Closes the pool."""
        await self._client.aclose()

    async def request(
        self, method: str, path: str, *, into: type[T], params: Mapping[str, str | int] | None = None, json: Any = None
    ) -> T:
        """The answer's JSON, as `into`. Errors: see the class."""
        return self.read(await self.send(method, path, params=params, json=json), into)

    async def send(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, json: Any = None
    ) -> httpx.Response:
        """The answer, with a 2xx status. Errors: see the class."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_Again),
            wait=_pause,
            stop=stop_after_attempt(3) | stop_before_delay(10),
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self._send_once, method, path, params, json)

    async def every_page(
        self, path: str, into: type[list[T]], params: Mapping[str, str | int] | None = None
    ) -> list[T]:
        """A whole list, as code hosts hand it out: by numbered pages, with a Link header that says whether one follows.

        Errors: see the class.
        """
        found: list[T] = []
        for page in itertools.count(1):
            answer = await self.send("GET", path, params={**(params or {}), "per_page": _PAGE, "page": page})
            found += self.read(answer, into)
            if "next" not in answer.links:
                break
        return found

    def read(self, response: httpx.Response, into: type[T]) -> T:
        """The JSON of an answer, as `into`; TryLater when it is cut off, CannotAct when it is anything else."""
        try:
            return msgspec.json.decode(response.content, type=into)
        except (ValueError, RecursionError) as error:
            is_cut = isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError)
            what = f"JSON that is cut off or of another shape ({self.presentable(str(error))})"
            said = f"{self._service} answered {_call(response)} with {what}."
            raise (TryLater if is_cut else CannotAct)(said) from None

    def presentable(self, text: str) -> str:
        """Words of the service, fit to be shown: one line, cut, without our secrets, e-mail addresses, URL queries."""
        shown = scrubber(self._credential.secrets, "…")(" ".join(text.split()))
        return _QUERY.sub("?…", shown)[:_QUOTED_LENGTH]

    async def _send_once(
        self, method: str, path: str, params: Mapping[str, str | int] | None, json: Any
    ) -> httpx.Response:
        call = Call(method, path.partition("?")[0], json)
        await self._wait_for_turn(call)
        try:
            response = await self._answer(method, path, params, json)
        except CraftyError:
            await self._count(call, None)
            raise
        await self._count(call, response.status_code)
        await self._heed(call, response)
        fault = self._fault(response)
        if fault:
            raise fault
        return response

    async def _answer(
        self, method: str, path: str, params: Mapping[str, str | int] | None, json: Any
    ) -> httpx.Response:
        try:
            return await self._client.request(method, path, params=params, json=json)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, httpx.DecodingError) as error:
            detail = f"{self._service}: {method} {path} can't be sent or read ({type(error).__name__}); check the URL."
            raise CannotAct(detail) from None
        except httpx.TransportError as error:
            detail = f"{self._service} gave no answer to {method} {path} ({type(error).__name__})."
            raise (_Again if method in _REPEATABLE else TryLater)(detail) from None

    async def _count(self, call: Call, status: int | None) -> None:
        """Tells the gate how a call was answered; one that was made is not lost over it."""
        with suppress(RedisAway):
            await self._gate.answered(self._limits.lanes(call)[0], status)

    async def _wait_for_turn(self, call: Call) -> None:
        lanes, waited = self._limits.lanes(call), 0.0
        while wait := await self._gate.enter(lanes):
            waited += wait
            if waited > _SHORT_WAIT:
                raise TryLater(f"{self._service} is asked as often as it bears for now; Crafty waits.", wait)
            await self._sleep(wait)

    async def _heed(self, call: Call, response: httpx.Response) -> None:
        """Does what the service says of its limits; an answer that is there already is not lost over it."""
        pause = self._pause_asked(response)
        if pause is not None:
            for lane in self._limits.refused(call, response.headers):
                await self._gate.close(lane, min(max(pause, SHORTEST_PAUSE), LONGEST_WAIT))
            return
        seconds = breather(response.headers)
        if seconds:
            with suppress(RedisAway):
                await self._gate.close(self._limits.lanes(call)[0], seconds)

    def _pause_asked(self, response: httpx.Response) -> float | None:
        """For how many seconds the service wants no more calls; None where it does not mind them."""
        if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
            return None
        told = (retry_after(response.headers), until_reset(response.headers))
        return next((seconds for seconds in told if seconds is not None), UNTOLD_PAUSE)

    def _fault(self, response: httpx.Response) -> CraftyError | None:
        """Why this is no answer; None where it is one."""
        return self._strange(response) if response.is_success else self._refusal(response)

    def _strange(self, response: httpx.Response) -> CraftyError | None:
        """Services answer with an object, a list or nothing; a web page or words are from somebody in between."""
        begin = response.content.lstrip(_BEFORE_JSON)[:1]
        said = f"{self._service} answered {_call(response)} with"
        if begin == b"<":
            detail = f"{said} a web page instead of JSON; check the URL and {self._credential.name}."
            return NotSignedIn(detail, response.status_code)
        return None if begin in {b"", b"{", b"["} else TryLater(f"{said} words that are no JSON.")

    def _refusal(self, response: httpx.Response) -> CraftyError:
        status = response.status_code
        said = f"{self._service} answered {_call(response)} with {status}{self._complaint(response)}"
        if status in _GONE:
            return NotFound(f"{said}.")
        if status in _PASSING or status >= 500:
            return _passing(response, f"{said}.")
        if 300 <= status < 400:
            place = self.presentable(_QUERY_OR_FRAGMENT.sub("", response.headers.get("Location", "")))
            to = f" to {place}" if place else ""
            return Moved(f"{said}, a redirect{to}; check that the configured URL is the service's own.", status)
        if status in {401, 403}:
            kind = NotSignedIn if status == 401 else Refused
            return kind(f"{said}. Check {self._credential.name}, and what that account may do.", status)
        return Refused(f"{said}.", status)

    def _complaint(self, response: httpx.Response) -> str:
        try:
            texts = msgspec.json.decode(response.content, type=_Complaint).texts()
        except (ValueError, RecursionError):
            return ""
        said = self.presentable("; ".join(texts)).rstrip(".")
        return f" ({said})" if said else ""


def _passing(response: httpx.Response, detail: str) -> TryLater:
    after = retry_after(response.headers)
    if response.status_code == 429:
        may_repeat = after is not None and after <= _SHORT_WAIT
    else:
        is_gateway = response.status_code in _GATEWAY and response.request.method in _REPEATABLE
        may_repeat = is_gateway and (after or 0.0) <= _SHORT_WAIT
    return (_Again if may_repeat else TryLater)(detail, after)


def _call(response: httpx.Response) -> str:
    path, _, _ = response.request.url.raw_path.partition(b"?")
    return f"{response.request.method} {path.decode()}"


def _quieten_wire_logs() -> None:
    """httpx logs whole URLs at INFO and httpcore logs headers at DEBUG: queries and tokens that no log may hold."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
