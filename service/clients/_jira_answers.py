"""The shapes of Jira's answers, and what follows from them without asking again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import msgspec

from service.facts import Ticket
from service.jira_shapes import RawIssue, RawSprint, instant_from

PROPERTY: Final = "crafty"
CATEGORY_SINCE: Final = "statuscategorychangedate"


class Created(msgspec.Struct):
    """What Jira answers to a new comment, as far as it matters here."""

    id: str


class KeyedComment(msgspec.Struct, frozen=True):
    """A comment of ours. key: what its property says; at: when it was first written, None if Jira does not tell."""

    id: str
    key: str
    at: datetime | None


class _Property(msgspec.Struct):
    key: str
    value: Any = None


class RawComment(msgspec.Struct):
    id: str
    created: str | None = None
    properties: list[_Property] = []

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
    comments: list[RawComment]
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


class IssuePage(msgspec.Struct):
    """A page of Data Center's search."""

    issues: list[RawIssue]
    total: int

    def size(self) -> int:
        return len(self.issues)

    def is_last(self, reached: int) -> bool:
        return reached >= self.total


class TokenPage(msgspec.Struct, rename="camel"):
    """A page of the Cloud's search: no total; the last page says so, or has no token for a next one."""

    issues: list[RawIssue]
    next_page_token: str | None = None
    is_last: bool = False


Page = TypeVar("Page", bound=_Page)


async def pages(ask: Callable[[int], Awaitable[Page]]) -> AsyncGenerator[Page, None]:
    """Every page of a list that is read by offset; ask: given where to start, answers that page.

    The next page starts after what was received, because servers silently send fewer entries than were asked for.
    """
    reached = 0
    while True:
        page = await ask(reached)
        yield page
        reached += page.size()
        if not page.size() or page.is_last(reached):
            return


class _Item(msgspec.Struct, rename="camel"):
    field: str = ""
    field_id: str | None = None
    fieldtype: str = "jira"

    def is_status(self) -> bool:
        return self.fieldtype != "custom" and (self.field_id or self.field).casefold() == "status"


class _History(msgspec.Struct):
    created: str
    items: list[_Item] = []


class _Changelog(msgspec.Struct):
    histories: list[_History]
    total: int | None = None

    def status_changes(self) -> Iterator[datetime]:
        changed = (one.created for one in self.histories if any(item.is_status() for item in one.items))
        return (at for at in map(instant_from, changed) if at)

    def is_complete(self) -> bool:
        return self.total is None or len(self.histories) >= self.total


class IssueWithHistory(RawIssue):
    """An issue that was asked for with `expand=changelog`."""

    changelog: _Changelog | None = None


def with_status_age(ticket: Ticket, issue: IssueWithHistory) -> Ticket:
    """The ticket with `entered_status_at`, as exactly as the answer allows.

    Entries of a changelog come in no promised order, so the latest status change counts. The Cloud cuts an expanded
    changelog at about 100 entries; where none is a status change, its date of the status category is next best. A whole
    changelog without one means the status of the first day. The last update makes a ticket look fresher than it is,
    never older.
    """
    changes = list(issue.changelog.status_changes()) if issue.changelog else []
    known = ticket.known()
    unchanged = known.get("created_at") if issue.changelog and issue.changelog.is_complete() else None
    since = max(changes, default=None) or _category_since(issue.fields) or unchanged or known.get("updated_at")
    return ticket.having(entered_status_at=since) if since else ticket


def _category_since(fields: Mapping[str, msgspec.Raw]) -> datetime | None:
    try:
        return instant_from(msgspec.json.decode(fields.get(CATEGORY_SINCE, b"null"), type=str | None))
    except ValueError:
        return None


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
