"""GitLab: what happened to merge requests and issues."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Container, Iterable, Iterator
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Final

import msgspec

from service.clients._http import Api, Credential, Sleep, under
from service.contributions import Kind, Listed, Note, What
from service.errors import NotFound
from service.facts import Person
from service.gitlab_shapes import RawAccount, doer, person_from
from service.limits import GITLAB, OPEN, Gate

Instant = Annotated[datetime, msgspec.Meta(tz=True)]

_DEVELOPER: Final = 30
_KEY: Final = re.compile(r"gitlab:([^!#]+)([!#])([0-9]{1,12})")
_READINESS: Final = re.compile(r"marked this merge request as \*\*(ready|draft)\*\*")
_READY: Final[dict[str, What]] = {"ready": "readied", "draft": "drafted"}
_APPROVAL: Final = "approved this merge request"
_KINDS: Final[dict[str, tuple[str, Kind]]] = {"!": ("merge_requests", "merge request"), "#": ("issues", "issue")}
_STATES: Final[dict[str, What]] = {
    "closed": "closed",
    "merged": "closed",
    "reopened": "reopened",
    "opened": "reopened",
}


class _Item(msgspec.Struct, kw_only=True):
    """A merge request or an issue."""

    iid: int
    title: str
    web_url: str
    created_at: Instant
    updated_at: Instant | None = None
    author: RawAccount | None = None
    draft: bool = False


class _Remark(msgspec.Struct, kw_only=True):
    """A note, by a person or (system) by GitLab about what a person did."""

    id: int
    created_at: Instant
    author: RawAccount | None = None
    body: str = ""
    system: bool = False
    internal: bool | None = None
    confidential: bool | None = None

    @property
    def answer(self) -> str:
        """What the answer that it is goes by; "" for one that is none, or that not everybody may read."""
        if self.internal or self.confidential:
            return ""
        if not self.system:
            return f"note-{self.id}"
        return f"approval-{self.author.username}" if self.author and self.body == _APPROVAL else ""


class _StateChange(msgspec.Struct):
    state: str
    created_at: Instant
    user: RawAccount | None = None


class _Project(msgspec.Struct):
    visibility: str


class _Token(msgspec.Struct):
    expires_at: date | None = None


class _Membership(msgspec.Struct):
    access_level: int


def connect(url: str, token: str, sleep: Sleep = asyncio.sleep, gate: Gate = OPEN) -> GitLab:
    """A client for the GitLab at `url`. token: a personal, group or project access token that may read the API."""
    credential = Credential("CRAFTY_GITLAB_TOKEN", {"PRIVATE-TOKEN": token}, (token,))
    return GitLab(Api("GitLab", f"{url.rstrip('/')}/api/v4", credential, sleep, GITLAB, gate))


class GitLab:
    """GitLab's REST API v4. Errors of every call: NotFound, TryLater, CannotAct."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._api.aclose()

    async def identify(self) -> Person:
        """The account that the token belongs to."""
        return person_from(await self._api.request("GET", "/user", into=RawAccount))

    async def token_ends(self) -> datetime | None:
        """When the token expires, at the start of that day in UTC; None where GitLab names no date."""
        expires = (await self._api.request("GET", "/personal_access_tokens/self", into=_Token)).expires_at
        return datetime.combine(expires, time(), UTC) if expires else None

    async def notes(self, key: str) -> tuple[Note, ...]:
        """All that happened to a merge request or an issue by now, in notes that are named as those of the webhooks.

        key: as a Contribution has it; NotFound where it is none of GitLab's. Other than webhooks it tells who is a
        member: who may at least develop in the project.
        """
        named = _KEY.fullmatch(key)
        if not named:
            raise NotFound(f"“{key[:50]}” names no merge request or issue on GitLab.")
        place, mark, number = named.groups()
        path = under(f"{_home(place)}/{_KINDS[mark][0]}", number)
        item = await self._api.request("GET", path, into=_Item)
        remarks = await self._api.every_page(f"{path}/notes", list[_Remark], {"sort": "asc", "order_by": "created_at"})
        changes = await self._api.every_page(f"{path}/resource_state_events", list[_StateChange])
        members = await self._members(place, [item.author, *(one.author for one in remarks if one.answer)])
        happened = (*_answers(remarks, members), *_turns(remarks, changes))
        return (_opened(item, mark, members), *_drafted_when_opened(item, happened), *happened)

    async def recent(self, place: str, since: datetime) -> tuple[Listed, ...]:
        """Each merge request and public issue that changed since then.

        place: "group/name", which has nothing to tell unless it is public; since: an aware instant.
        """
        project = await self._api.request("GET", _home(place), into=_Project)
        if project.visibility != "public":
            return ()
        query = {
            "state": "all",
            "order_by": "updated_at",
            "updated_after": since.astimezone(UTC).isoformat(),
            "confidential": "false",
        }
        found = [
            (mark, item)
            for mark, (folder, _) in _KINDS.items()
            for item in await self._api.every_page(f"{_home(place)}/{folder}", list[_Item], query)
        ]
        members = await self._members(place, [item.author for _, item in found])
        return tuple(
            Listed(
                f"gitlab:{place.lower()}{mark}{item.iid}",
                _opened(item, mark, members),
                item.updated_at or item.created_at,
            )
            for mark, item in found
        )

    async def _members(self, place: str, accounts: Iterable[RawAccount | None]) -> set[int]:
        """The ids of those who may at least develop in the project, each asked for once."""
        people = {account.id for account in accounts if account and account.id and not account.is_bot}
        return {person for person in sorted(people) if await self._is_member(place, person)}

    async def _is_member(self, place: str, person: int) -> bool:
        path = under(f"{_home(place)}/members/all", person)
        try:
            return (await self._api.request("GET", path, into=_Membership)).access_level >= _DEVELOPER
        except NotFound:
            return False


def _home(place: str) -> str:
    return under("/projects", place)


def _opened(item: _Item, mark: str, members: Container[int]) -> Note:
    return Note(
        what="opened",
        at=item.created_at,
        title=item.title,
        url=item.web_url,
        kind=_KINDS[mark][1],
        **_authorship(item.author, members),
    )


def _drafted_when_opened(item: _Item, turns: Iterable[Note]) -> Iterator[Note]:
    """GitLab is silent on how a merge request began; its first turn, or without one its state, tells."""
    first = next((note.what for note in turns if note.what in {"readied", "drafted"}), None)
    if first == "readied" or (item.draft and first is None):
        yield Note(what="drafted", at=item.created_at, **doer(item.author))


def _answers(remarks: Iterable[_Remark], members: Container[int]) -> Iterator[Note]:
    for remark in remarks:
        name = remark.answer
        if name:
            yield Note(what="answered", at=remark.created_at, id=name, **_authorship(remark.author, members))


def _turns(remarks: Iterable[_Remark], changes: Iterable[_StateChange]) -> Iterator[Note]:
    for remark in remarks:
        readiness = _READINESS.match(remark.body) if remark.system else None
        if readiness:
            yield Note(what=_READY[readiness[1]], at=remark.created_at, **doer(remark.author))
    for change in changes:
        if change.state in _STATES:
            yield Note(what=_STATES[change.state], at=change.created_at, **doer(change.user))


def _authorship(account: RawAccount | None, members: Container[int]) -> dict[str, Any]:
    return {**doer(account), "is_member": account is not None and account.id in members}
