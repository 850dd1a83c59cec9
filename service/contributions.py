"""What people from outside offer: a pull request, an issue, a topic, a ticket; and whether somebody has answered.

What is known of one is a set of notes. Each tells one thing that happened; the same note heard twice counts once, and
the order in which they are heard makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Literal

import msgspec

from service.facts import ABSENT, Partial, Person, Ticket

What = Literal["opened", "drafted", "readied", "closed", "reopened", "answered", "ticketed"]
Kind = Literal["pull request", "merge request", "issue", "topic", "ticket"]


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened to a contribution.

    id: tells answers apart, the same from a webhook and from a reading; for `ticketed` the key of the internal ticket;
    at: when it happened at its source; by: who did it, or the author for `opened`; is_member: whether the source itself
    counts that person among the team; is_bot: whether the source says that it is no human; groups: the source's names
    of the groups that the person is in; text: what was written, as in a Remark, only where it speaks to Crafty. title,
    url and kind come with `opened`.
    """

    what: What
    at: datetime
    by: Person | None = None
    id: str = ""
    is_member: bool = False
    is_bot: bool = False
    groups: tuple[str, ...] = ()
    title: str = ""
    url: str = ""
    kind: Kind = "issue"
    text: str = ""

    @property
    def name(self) -> str:
        """What the note is kept under: notes of one name are one note."""
        return f"{self.what}:{self.id or self.at.isoformat()}" if self.what != "opened" else "opened"

    def beside(self, other: Note) -> Note:
        """The same note with what another source tells of the person: one may know of a membership, the other not."""
        return msgspec.structs.replace(
            self,
            is_member=self.is_member or other.is_member,
            is_bot=self.is_bot or other.is_bot,
            groups=tuple(dict.fromkeys((*self.groups, *other.groups))),
            text=self.text or other.text,
        )


class Listed(msgspec.Struct, frozen=True):
    """A contribution in the list of its place. opened: the note of its opening; changed_at: when it changed last."""

    key: str
    opened: Note
    changed_at: datetime


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote to a contribution, as in the note that tells of it."""

    at: datetime
    by: Person | None
    id: str = ""
    is_member: bool = False
    is_bot: bool = False
    groups: tuple[str, ...] = ()
    text: str = ""


class Contribution(Partial):
    """Something that waits for a human answer.

    key: always known, `github:owner/name#12`, `gitlab:group/name!3` (a merge request) or `gitlab:group/name#3` (an
    issue), `topic:123`, or a ticket's key; place: always known, the repository in lower case, the forum category's
    number or the Jira project's key; author, is_member, is_bot, groups: as in the note that it was opened by;
    waiting_since: since when it is open for an answer, a draft's clock starts when it is ready; closed_at, closed_by:
    None while it is open; answers: oldest first; ticket: the internal ticket made for it, None while there is none;
    changed_at: when anything about it changed last, known only from a list.
    """

    key: str
    place: str | int
    kind: Kind = ABSENT
    title: str = ABSENT
    url: str = ABSENT
    author: Person | None = ABSENT
    is_member: bool = ABSENT
    is_bot: bool = ABSENT
    groups: tuple[str, ...] = ABSENT
    opened_at: datetime = ABSENT
    waiting_since: datetime = ABSENT
    is_draft: bool = ABSENT
    closed_at: datetime | None = ABSENT
    closed_by: Person | None = ABSENT
    answers: tuple[Answer, ...] = ABSENT
    ticket: str | None = ABSENT
    changed_at: datetime = ABSENT


def contribution_from(key: str, place: str | int, notes: Iterable[Note]) -> Contribution:
    """What these notes tell; without the one it was opened by only its key, place and internal ticket are known."""
    ordered = sorted(notes, key=lambda note: (note.at, note.name))
    opened = next((note for note in ordered if note.what == "opened"), None)
    ticket = next((note.id for note in ordered if note.what == "ticketed"), None)
    if opened is None:
        return Contribution(key=key, place=place, ticket=ticket)
    ended = next((note for note in reversed(ordered) if note.what in {"closed", "reopened"}), None)
    closed = ended if ended and ended.what == "closed" else None
    return Contribution(
        key=key,
        place=place,
        kind=opened.kind,
        title=opened.title,
        url=opened.url,
        author=opened.by,
        is_member=opened.is_member,
        is_bot=opened.is_bot,
        groups=opened.groups,
        opened_at=opened.at,
        closed_at=closed.at if closed else None,
        closed_by=closed.by if closed else None,
        answers=tuple(_answers(ordered)),
        ticket=ticket,
        **_readiness(opened, ordered),
    )


def _answers(notes: Iterable[Note]) -> Iterator[Answer]:
    for note in notes:
        if note.what == "answered":
            yield Answer(**{name: getattr(note, name) for name in Answer.__struct_fields__})


def _readiness(opened: Note, notes: Iterable[Note]) -> dict[str, Any]:
    turns = [note for note in notes if note.what in {"drafted", "readied"}]
    is_draft = bool(turns) and turns[-1].what == "drafted"
    readied = next((note.at for note in reversed(turns) if note.what == "readied"), opened.at)
    return {"is_draft": is_draft, "waiting_since": max(opened.at, readied)}


def notes_of(ticket: Ticket) -> tuple[Note, ...]:
    """What a ticket of a contributions project tells, in the way of code hosts: its opening, its comments, its end."""
    known = ticket.known()
    opened = Note(
        what="opened", at=ticket.created_at, by=ticket.reporter, title=ticket.summary, url=ticket.url, kind="ticket"
    )
    answers = (
        Note(what="answered", at=one.at, by=one.author, id=f"comment-{one.id}") for one in known.get("remarks", ())
    )
    closed = (Note(what="closed", at=ticket.updated_at, by=None, id="done"),) if ticket.is_done else ()
    return (opened, *answers, *closed)


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledgement"):
    """How a contribution was answered; the statistics count these.

    waiting_since, answered_at: instants, answered_at None while nobody answered; took: the time between them that
    counts for the promise (working time where weekends don't count); is_missed: whether the promised time passed first;
    closed: whether it was closed without an answer.
    """

    contribution: str
    cell: str
    title: str
    url: str
    waiting_since: datetime
    answered_at: datetime | None = None
    answered_by: str = ""
    took: timedelta | None = None
    is_missed: bool = False
    closed: bool = False


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """How contributions were answered.

    met: answered in the promised time; missed: that time passed first, whatever came later; closed: closed before it
    passed; open: how many of the missed still wait. median, percentile_95: the time within which half, and 95 of 100,
    of those that were answered had their answer; None where none was.
    """

    met: int
    missed: int
    closed: int
    open: int
    median: timedelta | None = None
    percentile_95: timedelta | None = None


def statistics(acknowledgements: Iterable[Acknowledgement]) -> Statistics:
    """The numbers of these acknowledgements, one for each contribution."""
    lines = list(acknowledgements)
    took = sorted(line.took for line in lines if line.took is not None)
    return Statistics(
        met=sum(line.answered_at is not None and not line.is_missed for line in lines),
        missed=sum(line.is_missed for line in lines),
        closed=sum(line.closed and not line.is_missed for line in lines),
        open=sum(line.answered_at is None and not line.closed for line in lines),
        median=timedelta(seconds=median(span.total_seconds() for span in took)) if took else None,
        percentile_95=took[-1 - len(took) // 20] if took else None,
    )
