"""GitHub: what happened to pull requests and issues."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import httpx
import msgspec

from service.clients._http import Api, Credential, Sleep, retry_after, under
from service.contributions import Listed, Note, What
from service.errors import CraftyError, NotFound, TryLater
from service.facts import Person
from service.github_shapes import Instant, RawAccount, RawItem, Written, authorship, doer, opened
from service.limits import GITHUB, LONGEST_WAIT, OPEN, Gate, until_reset

_MINUTE: Final = 60.0
_DAY: Final = 86_400.0
_KEY: Final = re.compile(r"github:([^/#]+/[^/#]+)#([0-9]{1,12})")
_TURNS: Final[dict[str, What]] = {
    "closed": "closed",
    "reopened": "reopened",
    "ready_for_review": "readied",
    "convert_to_draft": "drafted",
}


class _Comment(Written, kw_only=True):
    id: int
    created_at: Instant


class _Entry(Written, kw_only=True):
    """An entry of a timeline. submitted_at: None for a review that its author still writes."""

    event: str = ""
    id: int | None = None
    actor: RawAccount | None = None
    created_at: Instant | None = None
    submitted_at: Instant | None = None
    comments: tuple[_Comment, ...] = ()


class _Repository(msgspec.Struct):
    private: bool


def connect(
    url: str,
    token: str,
    sleep: Sleep = asyncio.sleep,
    gate: Gate = OPEN,
    seconds: Callable[[], float] = time.monotonic,
) -> GitHub:
    """A client for the API at `url`: https://api.github.com, or https://host/api/v3 of an Enterprise Server.

    seconds: a clock that only goes on.
    """
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    credential = Credential("CRAFTY_GITHUB_TOKEN", headers, (token,))
    return GitHub(_Api("GitHub", url.rstrip("/"), credential, sleep, GITHUB, gate), seconds)


class GitHub:
    """GitHub's REST API. Errors of every call: NotFound, TryLater, CannotAct."""

    def __init__(self, api: Api, seconds: Callable[[], float]) -> None:
        self._api = api
        self._seconds = seconds
        self._private: dict[str, tuple[float, bool]] = {}

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._api.aclose()

    async def identify(self) -> Person:
        """The account that the token belongs to."""
        user = await self._api.request("GET", "/user", into=RawAccount)
        return Person(name=user.login, github=user.login)

    async def token_ends(self) -> datetime | None:
        """When the token expires; None where GitHub names no date."""
        answer = await self._api.send("GET", "/user")
        text = answer.headers.get("GitHub-Authentication-Token-Expiration", "").replace(" UTC", " +0000")
        try:
            return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z")
        except ValueError:
            return None

    async def notes(self, key: str) -> tuple[Note, ...]:
        """All that happened to a pull request or an issue by now, in notes that are named as those of the webhooks.

        key: as a Contribution has it; NotFound where it is none of GitHub's.
        """
        named = _KEY.fullmatch(key)
        if not named:
            raise NotFound(f"“{key[:50]}” names no pull request or issue on GitHub.")
        path = under(f"{_home(named[1])}/issues", named[2])
        item = await self._api.request("GET", path, into=RawItem)
        entries = await self._api.every_page(f"{path}/timeline", list[_Entry])
        happened = [note for entry in entries for note in _notes_of(entry)]
        return (_opened(item), *_drafted_when_opened(item, happened), *happened)

    async def recent(self, place: str, since: datetime) -> tuple[Listed, ...]:
        """Each pull request and issue that changed since then, the latest first.

        place: "owner/name", whose private repository has nothing to tell; since: an aware instant.
        """
        home = _home(place)
        if await self._is_private(home):
            return ()
        query = {"state": "all", "sort": "updated", "direction": "desc", "since": f"{since.astimezone(UTC):%FT%TZ}"}
        items = await self._api.every_page(f"{home}/issues", list[RawItem], query)
        return tuple(
            Listed(f"github:{place.lower()}#{item.number}", _opened(item), item.updated_at or item.created_at)
            for item in items
        )

    async def _is_private(self, home: str) -> bool:
        """Asked at most once a day: repositories seldom change it, and each webhook tells it anew."""
        now = self._seconds()
        asked, is_private = self._private.get(home, (now - _DAY, False))
        if now - asked >= _DAY:
            is_private = (await self._api.request("GET", home, into=_Repository)).private
            self._private[home] = now, is_private
        return is_private


class _Api(Api):
    """GitHub refuses also whoever asks too much with a 403: that passes.

    See "Rate limits for the REST API" in its documentation: it names the seconds to wait, or the moment from which it
    answers again, or neither, which means a minute at least.
    """

    def _refusal(self, response: httpx.Response) -> CraftyError:
        wait = _wait_asked(response) if response.status_code in {403, 429} else None
        if wait is None:
            return super()._refusal(response)
        return TryLater(f"GitHub was asked too much for now, and answered with {response.status_code}.", wait)

    def _pause_asked(self, response: httpx.Response) -> float | None:
        wait = _wait_asked(response) if response.status_code in {403, 429} else None
        return super()._pause_asked(response) if wait is None else wait


def _wait_asked(response: httpx.Response) -> float | None:
    asked = retry_after(response.headers)
    if asked is not None:
        return asked
    if response.headers.get("x-ratelimit-remaining") == "0":
        seconds = until_reset(response.headers)
        return _MINUTE if seconds is None else min(seconds, LONGEST_WAIT)
    return _MINUTE if "secondary rate limit" in response.text.lower() else None


def _home(place: str) -> str:
    owner, _, name = place.partition("/")
    return under("/repos", owner, name)


def _opened(item: RawItem) -> Note:
    return opened(item, "issue" if item.pull_request is None else "pull request")


def _drafted_when_opened(item: RawItem, happened: Iterable[Note]) -> Iterator[Note]:
    """The timeline is silent on how a pull request began; its first turn, or without one its state, tells."""
    first = next((note.what for note in happened if note.what in {"readied", "drafted"}), None)
    if first == "readied" or (item.draft and first is None):
        yield Note(what="drafted", at=item.created_at, **doer(item.user))


def _notes_of(entry: _Entry) -> Iterator[Note]:
    match entry:
        case _Entry(event="commented", id=int(number), created_at=datetime() as at):
            yield Note(what="answered", at=at, id=f"comment-{number}", **authorship(entry))
        case _Entry(event="reviewed", id=int(number), submitted_at=datetime() as at):
            yield Note(what="answered", at=at, id=f"review-{number}", **authorship(entry))
        case _Entry(event="line-commented"):
            for comment in entry.comments:
                at, name = comment.created_at, f"inline-{comment.id}"
                yield Note(what="answered", at=at, id=name, **authorship(comment))
        case _Entry(event=event, created_at=datetime() as at) if event in _TURNS:
            yield Note(what=_TURNS[event], at=at, **doer(entry.actor))
