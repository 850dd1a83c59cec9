"""Jira's deliveries, Cloud and Data Center, into events."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import msgspec

from service.events import CommentPosted, Event, Ignored, SprintChanged, TicketChanged, TicketDeleted
from service.facts import Person, Ticket
from service.jira_shapes import (
    FieldMap,
    RawChange,
    RawComment,
    RawIssue,
    RawSprint,
    RawUser,
    instant_from,
    person_from,
    sprint_from,
    sprint_move_from,
    text_from,
    ticket_from,
)

_NULL: Final = msgspec.Raw(b"null")
_CREATED: Final = "jira:issue_created"
_TICKET_EVENTS: Final = {_CREATED, "jira:issue_updated", "jira:worklog_updated"}
_COMMENTED: Final = {"issue_commented", "issue_comment_edited"}
_ADDRESS: Final = re.compile(r"/issue/([0-9]{1,18})/comment/")


class _Changelog(msgspec.Struct):
    items: list[RawChange] = []


class _Payload(msgspec.Struct):
    """The envelope. What only some events carry is decoded where it is needed: old senders put other things there."""

    event: str | None = msgspec.field(name="webhookEvent", default=None)
    event_type: str | None = msgspec.field(name="issue_event_type_name", default=None)
    timestamp: int | None = None
    user: RawUser | None = None
    issue: RawIssue | None = None
    changelog: _Changelog | None = None
    comment: msgspec.Raw = _NULL
    sprint: msgspec.Raw = _NULL

    def has_comment(self) -> bool:
        """Whether it tells of a comment, as Data Center's issue events do besides those of the comment itself."""
        return self.event_type in _COMMENTED and self.comment != _NULL


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
    if name == "comment_deleted":
        return Ignored("what a deleted comment said is not said any more")
    if name.startswith("comment_") or (name == "jira:issue_updated" and payload.has_comment()):
        return _commented(payload, fields, site, at, actor)
    if name in _TICKET_EVENTS:
        return _changed(name, payload, fields, site, at, actor)
    if name == "jira:issue_deleted":
        return TicketDeleted(at=at, actor=actor, ticket=_ticket(payload, fields, site))
    if name.startswith("sprint_"):
        return _sprint_changed(name, payload, at, actor)
    return Ignored(f"no rule is concerned with “{name[:64]}”" if name else "it names no event")


def _changed(
    name: str, payload: _Payload, fields: FieldMap, site: str, at: datetime, actor: Person | None
) -> TicketChanged:
    """What changed on the ticket; a new one has no history yet, and is in its status since now.

    The Cloud's new issues come with a changelog of the fields that they were made with, so that tells of no change.
    """
    ticket = _ticket(payload, fields, site)
    if name == _CREATED:
        new = ticket.having(entered_status_at=at, sprint_moves=(), status_changes=(), remarks=())
        return TicketChanged(at=at, actor=actor, ticket=new)
    changes = payload.changelog.items if payload.changelog else []
    return TicketChanged(
        at=at,
        actor=actor,
        ticket=ticket.having(entered_status_at=at) if any(change.is_of_status for change in changes) else ticket,
        changed=frozenset(name for change in changes for name in change.names) if payload.changelog else None,
        sprint_move=sprint_move_from(changes, fields, at, actor),
    )


def _ticket(payload: _Payload, fields: FieldMap, site: str) -> Ticket:
    if payload.issue is None:
        raise msgspec.ValidationError("Object missing required field `issue`")
    return ticket_from(payload.issue, fields, site)


def _commented(payload: _Payload, fields: FieldMap, site: str, at: datetime, actor: Person | None) -> CommentPosted:
    if payload.comment == _NULL:
        raise msgspec.ValidationError("Object missing required field `comment`")
    comment = msgspec.json.decode(payload.comment, type=RawComment)
    address = None if payload.issue else _ADDRESS.search(comment.address or "")
    return CommentPosted(
        at=at,
        actor=actor or person_from(comment.update_author) or person_from(comment.author),
        comment=comment.id,
        ticket=ticket_from(payload.issue, fields, site) if payload.issue else None,
        issue=address[1] if address else "",
        text=text_from(comment.body),
    )


def _sprint_changed(name: str, payload: _Payload, at: datetime, actor: Person | None) -> SprintChanged:
    if payload.sprint == _NULL:
        raise msgspec.ValidationError("Object missing required field `sprint`")
    sprint = msgspec.json.decode(payload.sprint, type=RawSprint)
    return SprintChanged(at=at, actor=actor, sprint=sprint_from(sprint), change=name.removeprefix("sprint_"))
