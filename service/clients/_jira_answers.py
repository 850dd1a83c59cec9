"""The shapes of Jira's answers, and what follows from them without asking again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import msgspec

from service.errors import CannotAct
from service.jira_shapes import RawComment, RawSprint, RawUser, instant_from

PROPERTY: Final = "crafty"


class Created(msgspec.Struct):
    """What Jira answers to a new comment, as far as it matters here."""

    id: str


class CreatedTicket(msgspec.Struct):
    """What Jira answers to a new ticket."""

    key: str


class KeyedComment(msgspec.Struct, frozen=True):
    """A comment of ours. key: what its property says; at: when it was first written, None if Jira does not tell."""

    id: str
    key: str
    at: datetime | None


class _Property(msgspec.Struct):
    key: str
    value: Any = None


class StoredComment(RawComment):
    """A comment, with its properties where they were asked for."""

    properties: Sequence[_Property] = ()

    def keyed(self) -> KeyedComment | None:
        """The comment, if it bears our property in the form that we give it."""
        values = (one.value for one in self.properties if one.key == PROPERTY)
        keys = (value.get("key") for value in values if isinstance(value, dict))
        key = next((key for key in keys if isinstance(key, str)), None)
        return KeyedComment(self.id, key, instant_from(self.created)) if key is not None else None


class _Page(Protocol):
    def size(self) -> int: ...

    def is_last(self, reached: int) -> bool: ...


class CommentPage(msgspec.Struct):
    comments: list[StoredComment]
    total: int

    def size(self) -> int:
        return len(self.comments)

    def is_last(self, reached: int) -> bool:
        return reached >= self.total


class SprintPage(msgspec.Struct):
    values: list[RawSprint]
    says_last: bool = msgspec.field(name="isLast", default=False)
    total: int | None = None

    def size(self) -> int:
        return len(self.values)

    def is_last(self, reached: int) -> bool:
        return self.says_last or (self.total is not None and reached >= self.total)


Page = TypeVar("Page", bound=_Page)


async def pages(ask: Callable[[int], Awaitable[Page]]) -> AsyncGenerator[Page, None]:
    """Every page of a list that is read by offset; ask: given where to start, answers that page.

    The next page starts after what was received, because servers silently send fewer entries than were asked for.
    CannotAct where the same page comes again: what follows it would be missing.
    """
    reached, before = 0, None
    while True:
        page = await ask(reached)
        if page.size() and page == before:
            raise CannotAct("Jira answers the same page of a list again and again; look for a cache in front of it.")
        before = page
        yield page
        reached += page.size()
        if not page.size() or page.is_last(reached):
            return


class Ranked(msgspec.Struct, rename="camel"):
    """What became of one issue of a call that Jira answered with 207. status: an HTTP status of its own."""

    status: int
    issue_key: str | None = None
    issue_id: int | str | None = None
    errors: list[str] = []

    def is_refused(self) -> bool:
        return not 200 <= self.status < 300

    def is_passing(self) -> bool:
        return self.status == 429 or self.status >= 500

    def __str__(self) -> str:
        return f"{self.issue_key or self.issue_id}: {'; '.join(self.errors) or self.status}"


class Report(msgspec.Struct):
    entries: list[Ranked]


class ServerInfo(msgspec.Struct, rename="camel"):
    """What a Jira tells strangers of itself."""

    deployment_type: str = "Server"
    version_numbers: list[int] = []


class _Permission(msgspec.Struct, rename="camel"):
    have_permission: bool


class Permissions(msgspec.Struct):
    permissions: dict[str, _Permission]


class Account(RawUser, rename="camel"):
    """A user, and whether the account is open."""

    active: bool = True
