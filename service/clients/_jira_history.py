"""What a ticket has been through, from the comments and the changelog that Jira shows with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from service.clients._jira_answers import CommentPage
from service.facts import StatusChange, Ticket
from service.jira_shapes import (
    FieldMap,
    RawChange,
    RawComment,
    RawIssue,
    RawUser,
    instant_from,
    person_from,
    remark_from,
    sprint_move_from,
    status_change_from,
    whole_ticket_from,
)

CATEGORY_SINCE: Final = "statuscategorychangedate"


class RawHistory(msgspec.Struct):
    """One entry of a changelog: what somebody changed at once."""

    created: str
    id: str = ""
    author: RawUser | None = None
    items: list[RawChange] = []


class Changelog(msgspec.Struct):
    """A changelog that was expanded with its issue; the Cloud cuts it at about 100 entries."""

    histories: list[RawHistory]
    total: int | None = None

    def is_complete(self) -> bool:
        return self.total is None or len(self.histories) >= self.total


class HistoryPage(msgspec.Struct):
    """A page of the Cloud's changelog of one issue."""

    values: list[RawHistory]
    total: int

    def size(self) -> int:
        return len(self.values)

    def is_last(self, reached: int) -> bool:
        return reached >= self.total


class IssueWithHistory(RawIssue):
    """An issue that was asked for with its comments and `expand=changelog`."""

    changelog: Changelog | None = None

    def comment_page(self) -> CommentPage | None:
        """The comments among its fields; None if there are none. Raises msgspec.ValidationError for another shape."""
        return msgspec.json.decode(self.field("comment"), type=CommentPage | None)


class IssuePage(msgspec.Struct):
    """A page of Data Center's search."""

    issues: list[IssueWithHistory]
    total: int

    def size(self) -> int:
        return len(self.issues)

    def is_last(self, reached: int) -> bool:
        return reached >= self.total


class TokenPage(msgspec.Struct, rename="camel"):
    """A page of the Cloud's search: no total; the last page says so, or has no token for a next one."""

    issues: list[IssueWithHistory]
    next_page_token: str | None = None
    is_last: bool = False


def ticket_as_found(issue: IssueWithHistory, fields: FieldMap, site: str) -> Ticket:
    """The ticket of a search. Its comments and its past stay unknown unless the answer surely holds all of them.

    Raises msgspec.ValidationError where something has a shape that Jira's never has.
    """
    page, changelog = issue.comment_page(), issue.changelog
    comments = page.comments if page and page.is_last(page.size()) else None
    if changelog and changelog.total is not None and changelog.is_complete():
        return ticket_with_history(issue, fields, site, comments, changelog)
    return _commented(whole_ticket_from(issue, fields, site), comments)


def ticket_with_history(
    issue: IssueWithHistory,
    fields: FieldMap,
    site: str,
    comments: Iterable[RawComment] | None,
    changelog: Changelog | None,
) -> Ticket:
    """The whole ticket with its past; comments and changelog are all there are, or None where Jira told of none.

    Raises msgspec.ValidationError where something has a shape that Jira's never has.
    """
    ticket = _commented(whole_ticket_from(issue, fields, site), comments)
    if changelog is not None:
        ticket = ticket.having(**_history(changelog, fields))
    since = _in_status_since(ticket.known(), issue)
    return ticket.having(entered_status_at=since) if since else ticket


def _commented(ticket: Ticket, comments: Iterable[RawComment] | None) -> Ticket:
    if comments is None:
        return ticket
    return ticket.having(remarks=tuple(sorted(map(remark_from, comments), key=lambda remark: remark.at)))


def _history(changelog: Changelog, fields: FieldMap) -> dict[str, Any]:
    """Moves and status changes in the order of time, whatever the changelog's order is."""
    moves, changes = [], []
    for entry in sorted(changelog.histories, key=_place):
        at, by = instant_from(entry.created), person_from(entry.author)
        if at is not None:
            moves.append(sprint_move_from(entry.items, fields, at, by))
            changes.append(status_change_from(entry.items, at, by))
    return {"sprint_moves": tuple(filter(None, moves)), "status_changes": tuple(filter(None, changes))}


def _place(entry: RawHistory) -> tuple[float, int]:
    """Entries of one instant come in the order of their ids."""
    at = instant_from(entry.created)
    return at.timestamp() if at else 0.0, int(entry.id) if entry.id.isdecimal() else 0


def _in_status_since(known: Mapping[str, Any], issue: RawIssue) -> datetime | None:
    """Since when it has its status, as exactly as the answer allows.

    The latest status change counts. Where none is told, Jira's date of the status category is next best. A changelog
    without one means the status of the first day. The last update makes a ticket look fresher than it is, never older.
    """
    changes: tuple[StatusChange, ...] | None = known.get("status_changes")
    if changes:
        return changes[-1].at
    unchanged = known.get("created_at") if changes is not None else None
    return _category_since(issue) or unchanged or known.get("updated_at")


def _category_since(issue: RawIssue) -> datetime | None:
    try:
        return instant_from(msgspec.json.decode(issue.field(CATEGORY_SINCE), type=str | None))
    except ValueError:
        return None
