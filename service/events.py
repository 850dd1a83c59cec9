"""What happened, in our own words; no vendor's names or shapes go further than the parsers that make these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.contributions import Contribution, Note
from service.facts import Person, Sprint, SprintMove, Ticket


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
    """A ticket was created or edited.

    changed: the fields that were edited, in lower case, None where the source does not say; sprint_move: how its Sprint
    field changed, where that is among them.
    """

    changed: frozenset[str] | None = None
    sprint_move: SprintMove | None = None


@dataclass(frozen=True, kw_only=True)
class TicketDeleted(_TicketEvent):
    """A ticket is gone."""


@dataclass(frozen=True, kw_only=True)
class Due(Event):
    """The moment has come to look at a subject: a re-check, a sweep, or the look that follows an event."""

    about: Ticket | Contribution

    @property
    def subject(self) -> str:
        return self.about.key


@dataclass(frozen=True, kw_only=True)
class CommentPosted(Event):
    """Somebody wrote a comment on a ticket.

    ticket: None where the payload names only the comment's own address; issue: Jira's number of the ticket, which
    stands in for its key then; text: as in a Remark.
    """

    comment: str
    ticket: Ticket | None
    issue: str = ""
    text: str = ""

    @property
    def subject(self) -> str:
        return self.ticket.key if self.ticket else self.issue or f"comment {self.comment}"


@dataclass(frozen=True, kw_only=True)
class SprintChanged(Event):
    """A sprint was created, edited, started, closed or deleted. change: that word."""

    sprint: Sprint
    change: str

    @property
    def subject(self) -> str:
        return f"sprint {self.sprint.id}"


@dataclass(frozen=True, kw_only=True)
class ContributionNoted(Event):
    """Something happened to a contribution on a code host or in the forum.

    contribution: what this delivery alone tells of it; notes: the same as it is kept.
    """

    contribution: Contribution
    notes: tuple[Note, ...]

    @property
    def subject(self) -> str:
        return self.contribution.key


@dataclass(frozen=True)
class Ignored:
    """A valid delivery that no rule can be concerned with. reason: why, as a phrase."""

    reason: str


@dataclass(frozen=True)
class Unread(Ignored):
    """A delivery on which Crafty itself failed: it is kept whole, for a replay by a version that is mended."""
