"""What happened, in our own words; no vendor's names or shapes go further than the parsers that make these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.facts import Person, Sprint, Ticket


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events.

    at: when it happened at its source, an aware instant; actor: who did it, None when the source does not say.
    """

    at: datetime
    actor: Person | None = None

    @property
    def subject(self) -> str:
        """What decisions about this event are filed under."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class _TicketEvent(Event):
    ticket: Ticket

    @property
    def subject(self) -> str:
        return self.ticket.key


@dataclass(frozen=True, kw_only=True)
class TicketChanged(_TicketEvent):
    """A ticket was created or edited."""


@dataclass(frozen=True, kw_only=True)
class TicketDeleted(_TicketEvent):
    """A ticket is gone."""


@dataclass(frozen=True, kw_only=True)
class Due(_TicketEvent):
    """The moment has come to look at a ticket (a re-check, or the look that follows an event)."""


@dataclass(frozen=True, kw_only=True)
class CommentPosted(Event):
    """Somebody wrote a comment. ticket: None where the payload names only the comment's own address."""

    comment: str
    ticket: Ticket | None

    @property
    def subject(self) -> str:
        return self.ticket.key if self.ticket else f"comment {self.comment}"


@dataclass(frozen=True, kw_only=True)
class SprintChanged(Event):
    """A sprint was created, edited, started, closed or deleted. change: that word."""

    sprint: Sprint
    change: str

    @property
    def subject(self) -> str:
        return f"sprint {self.sprint.id}"


@dataclass(frozen=True, kw_only=True)
class TopicPosted(Event):
    """A forum topic or post was written or edited. post: its number in the topic, None for the topic itself."""

    topic: int
    title: str
    category: int | None
    post: int | None = None

    @property
    def subject(self) -> str:
        return f"topic {self.topic}"


@dataclass(frozen=True)
class Ignored:
    """A valid delivery that no rule can be concerned with. reason: why, as a phrase."""

    reason: str
