"""Jira's deliveries, Cloud and Data Center, into events."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from service.events import CommentPosted, Event, Ignored, SprintChanged, TicketChanged, TicketDeleted
from service.facts import Person, Ticket
from service.jira_shapes import (
    FieldMap,
    RawIssue,
    RawSprint,
    RawUser,
    instant_from,
    person_from,
    sprint_from,
    ticket_from,
)

_NULL: Final = msgspec.Raw(b"null")
_TICKET_EVENTS: Final = {"jira:issue_created", "jira:issue_updated", "jira:worklog_updated"}


class _Item(msgspec.Struct):
    field: str


class _Changelog(msgspec.Struct):
    items: list[_Item] = []


class _Comment(msgspec.Struct, rename="camel"):
    id: str
    author: RawUser | None = None
    update_author: RawUser | None = None


class _Payload(msgspec.Struct):
    """The envelope. What only some events carry is decoded where it is needed: old senders put other things there."""

    event: str | None = msgspec.field(name="webhookEvent", default=None)
    timestamp: int | None = None
    user: RawUser | None = None
    issue: RawIssue | None = None
    changelog: _Changelog | None = None
    comment: msgspec.Raw = _NULL
    sprint: msgspec.Raw = _NULL


_DECODER: Final = msgspec.json.Decoder(_Payload)


def parse(body: bytes, fields: FieldMap, site: str, received: datetime) -> tuple[str, Event | Ignored]:
    """The event's name and what it says.

    fields: this site's custom fields; site: the address people open Jira at; received: stands in for a missing
    timestamp. Raises msgspec.DecodeError for what is no JSON and msgspec.ValidationError, naming the place, for JSON
    that lacks what such an event must have.
    """
    payload = _DECODER.decode(body)
    name = payload.event or ("jira:issue_updated" if payload.issue else "")
    at = instant_from(payload.timestamp) or received
    return name, _event(name, payload, fields, site, at)


def _event(name: str, payload: _Payload, fields: FieldMap, site: str, at: datetime) -> Event | Ignored:
    actor = person_from(payload.user)
    if name in _TICKET_EVENTS:
        return TicketChanged(at=at, actor=actor, ticket=_changed(name, payload, fields, site, at))
    if name == "jira:issue_deleted":
        return TicketDeleted(at=at, actor=actor, ticket=_ticket(payload, fields, site))
    if name.startswith("comment_"):
        return _commented(payload, fields, site, at, actor)
    if name.startswith("sprint_"):
        return _sprint_changed(name, payload, at, actor)
    return Ignored(f"no rule is concerned with “{name[:64]}”" if name else "it names no event")


def _changed(name: str, payload: _Payload, fields: FieldMap, site: str, at: datetime) -> Ticket:
    """The ticket; when its status is what changed, it entered that status now."""
    ticket = _ticket(payload, fields, site)
    changed = {item.field.casefold() for item in payload.changelog.items} if payload.changelog else set()
    return ticket.having(entered_status_at=at) if "status" in changed or name == "jira:issue_created" else ticket


def _ticket(payload: _Payload, fields: FieldMap, site: str) -> Ticket:
    if payload.issue is None:
        raise msgspec.ValidationError("Object missing required field `issue`")
    return ticket_from(payload.issue, fields, site)


def _commented(payload: _Payload, fields: FieldMap, site: str, at: datetime, actor: Person | None) -> CommentPosted:
    if payload.comment == _NULL:
        raise msgspec.ValidationError("Object missing required field `comment`")
    comment = msgspec.json.decode(payload.comment, type=_Comment)
    author = actor or person_from(comment.update_author) or person_from(comment.author)
    ticket = ticket_from(payload.issue, fields, site) if payload.issue else None
    return CommentPosted(at=at, actor=author, comment=comment.id, ticket=ticket)


def _sprint_changed(name: str, payload: _Payload, at: datetime, actor: Person | None) -> SprintChanged:
    if payload.sprint == _NULL:
        raise msgspec.ValidationError("Object missing required field `sprint`")
    sprint = msgspec.json.decode(payload.sprint, type=RawSprint)
    return SprintChanged(at=at, actor=actor, sprint=sprint_from(sprint), change=name.removeprefix("sprint_"))
