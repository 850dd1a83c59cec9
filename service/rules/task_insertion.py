"""Nothing joins the next sprint after its insertion deadline, or the running one, unless it is accepted.

Looks at when a ticket joined the sprint, by the ticket's own history. What joined too late moves to the top of Stretch
Goals, or to the backlog where there is no such sprint; its reporter and its epic's owner learn why in one comment, and
the sprint planning manager in chat. A comment "@crafty accept" by the sprint planning manager, or the label, brings it
back. A ticket that replaces or splits another one stays until the sprint starts, or for a working day where the sprint
runs already, and the sprint planning manager is asked to confirm it. What the sprint planning manager added may stay,
and so may what a firefighter on duty added in an emergency, and what comes over from the sprint that is closing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from pydantic import Field

from service.actions import ASKING, Action, Comment, EditComment, MoveToBacklog, MoveToSprint, Notify, RankTop, Warn
from service.calendar import SprintWindow
from service.commands import commands_in, said_to_us
from service.events import CommentPosted, Due, TicketChanged
from service.facts import Person, Sprint, SprintMove, Ticket
from service.rules._base import (
    Case,
    Context,
    Rule,
    RuleParams,
    Verdict,
    asked,
    firefighters,
    joined,
    passed_and_told,
    signed,
    wait_until,
    wanted,
    withdrawn,
)
from service.texts import Link, Message, Paragraph, in_words, paragraph
from service.values import WorkingTime

NAME: Final = "task-insertion"

_Names = Annotated[tuple[str, ...], Field(strict=False)]


class Params(RuleParams):
    """What a cell can tune."""

    accepted_label: str = Field("injection-accepted", description="The label that accepts a ticket into the sprint.")
    look_back: WorkingTime = Field(
        "72h",
        validate_default=True,
        description="How long after a ticket joined a sprint it may still be moved, when nobody looked at it before.",
    )
    patience: WorkingTime = Field(
        "24h",
        validate_default=True,
        description="How long a ticket that replaces or splits another waits for a yes in a sprint that runs already.",
    )
    emergency_labels: _Names = Field(
        ("emergency",), description="Labels of what a firefighter on duty may add at any time."
    )
    emergency_kinds: _Names = Field(
        ("Emergency",), description="Issue types of what a firefighter on duty may add at any time."
    )
    replacing_phrases: _Names = Field(
        ("replaces", "supersedes", "split from", "is split from", "splits"),
        description="What Jira's links say of a ticket that replaces another one or is split from it.",
    )


MOVED = (
    "{who}, if {ticket} can't wait, “@crafty accept” from {manager} or the label {label} brings it back into {sprint}. "
)
CHAT_MOVED = "{who}, may {ticket} join {sprint} after all? “@crafty accept” there or the label {label} brings it back. "
IN_STRETCH_GOALS = "It waits on top of {refuge}: additions were due by {deadline}. Otherwise nothing is needed."
IN_BACKLOG = (
    "It waits in the backlog, for lack of {refuge}: additions were due by {deadline}. Otherwise nothing is needed."
)
CONFIRM = (
    "{who}, may {ticket} stay in {sprint}? “@crafty accept” from {manager} or the label {label} says yes. It replaces "
    "or splits {other}; additions were due by {deadline}. Without a yes by {due} it moves to {refuge}."
)
ACCEPTED = "This ticket is accepted for {sprint}. Thank you!"
SETTLED = "No acceptance is needed here any more. Thank you for sorting it out!"
NO_STRETCH_GOALS = (
    "{cell} has no sprint named “{name}” on its board, so late additions go to the backlog. Create it there as a "
    "future sprint, or correct stretch_goals of this cell in crafty.toml."
)

UNREAD: Final = timedelta(hours=1)
"""How long it waits for a board that can't be read: without it nobody knows where a late ticket may wait."""

CLOSING: Final = timedelta(days=1)
"""How long after a sprint was completed its unfinished tickets are still brought over."""

_MOVED: Final = f"{ASKING} acceptance, moved out"
_CONFIRM: Final = f"{ASKING} confirmation"
_ACCEPTED: Final = "accepted"
_ANY_MANAGER: Final = "the sprint planning manager"

_SENTENCE_END: Final = re.compile(r"[.!?]\s|\n")
_REPLACING: Final = re.compile(r"\b(?:replac|supersed|split)", re.IGNORECASE)
_KEY: Final = re.compile(r"\b[A-Z][A-Z0-9_]{0,63}-[0-9]{1,12}\b")


@dataclass(frozen=True)
class _Case(Case):
    """A ticket that joined the next or the running sprint. joinings: each time it did, oldest first, at least one."""

    joinings: tuple[SprintMove, ...]

    @property
    def joined(self) -> SprintMove:
        """The latest time counts: what left the sprint and came back has joined anew."""
        return self.joinings[-1]

    @property
    def is_running(self) -> bool:
        return self.sprint == self.ctx.sprints.active

    @property
    def deadline(self) -> datetime:
        """Until when the sprint took additions.

        Nobody tells when the sprint before a running one began, and people start sprints early and late: of the plan
        and of what its start tells, the later deadline counts, and the start itself at the latest.
        """
        if not self.is_running:
            return self.window_of_planning.insertion_deadline
        start, calendar = self.window.start, self.window.calendar
        planned = calendar.sprint_at(start - timedelta(days=calendar.length_days) / 2)
        return min(max(planned.insertion_deadline, self.window_before.insertion_deadline), start)

    @property
    def window_of_planning(self) -> SprintWindow:
        """The sprint in which the next one is planned.

        Between the two, nobody tells when the next one starts. What was asked about already stays too late for half a
        sprint: the next one starts late.
        """
        if self.ctx.sprints.active or not self.ctx.said_in(self.occasion):
            return self.window
        calendar = self.window.calendar
        return calendar.sprint_at(self.ctx.now - timedelta(days=calendar.length_days) / 2)

    @property
    def window_before(self) -> SprintWindow:
        """The sprint that ended when the current one started."""
        return self.window.calendar.sprint_at(self.window.start, end=self.window.start)

    @property
    def late_since(self) -> datetime:
        """When it first joined too late; an acceptance after that holds however often it leaves and comes back."""
        deadline = self.deadline
        return next((move.at for move in self.joinings if move.at > deadline), self.joined.at)

    @property
    def confirm_by(self) -> datetime:
        """Until when it may stay unconfirmed: the sprint's start, or a while after it joined where that was later."""
        start = self.window.start if self.is_running else self.window_of_planning.end
        if self.late_since < start:
            return start
        return self.window.calendar.add_working_time(self.late_since, self.ctx.params.patience)

    @property
    def manager(self) -> Person | None:
        return self.ctx.cell.roles.get("sprint_planning_manager")

    @property
    def refuge(self) -> str:
        """Where it waits, by the name that people know."""
        stretch_goals = self.ctx.sprints.stretch_goals
        return stretch_goals.name if stretch_goals else "the backlog"

    @property
    def reason(self) -> str:
        joined_at, deadline = self.date(self.joined.at), self.date(self.deadline)
        return f"it joined {self.sprint.name} too late: {joined_at}; additions were due by {deadline}"

    def date(self, at: datetime) -> str:
        """The instant in words, in the cell's zone."""
        return in_words(at, self.window.calendar.zone.key)


def check(ticket: Ticket, ctx: Context) -> Verdict:
    """Whether this ticket joined its sprint in time, and what becomes of it where it did not."""
    reason = _unconcerned(ticket, ctx)
    if reason:
        return Verdict.passed(reason)
    if not ctx.sprints.is_whole:
        return wait_until(ctx.now + UNREAD, ticket, "its board can't be read at the moment")
    if ticket.is_done or ticket.status.casefold() in ctx.cell.statuses.finished:
        return _settled(ticket, ctx, f"the ticket is finished ({ticket.status})")
    coming = [sprint for sprint in (ctx.sprints.next, ctx.sprints.active) if sprint]
    inside = next((sprint for sprint in coming if ticket.is_in(sprint)), None)
    return _inside(_case(ticket, ctx, inside)) if inside else _elsewhere(ticket, ctx, coming)


def _elsewhere(ticket: Ticket, ctx: Context, coming: Iterable[Sprint]) -> Verdict:
    if not _waits_where_we_moved_it(ticket, ctx):
        return _settled(ticket, ctx, "it is in neither the next nor the running sprint")
    awaited = next((sprint for sprint in coming if ctx.said_in(f"sprint-{sprint.id}")), None)
    if awaited:
        return _outside(_case(ticket, ctx, awaited))
    return _settled(ticket, ctx, "the sprint that it was meant for is over")


def _unconcerned(ticket: Ticket, ctx: Context) -> str | None:
    """Why nothing about this ticket's sprint can have changed or matters; None where it may."""
    event = ctx.event
    if isinstance(event, CommentPosted) and not _accepts(event.text, ctx):
        return "this comment accepts nothing"
    if isinstance(event, TicketChanged) and event.changed is not None and "sprint" not in event.changed:
        return "this change did not touch its sprint"
    if ticket.is_subtask or ticket.kind.casefold() == "epic":
        return "sub-tasks and epics join no sprint of their own"
    return None


def _accepts(text: str, ctx: Context) -> bool:
    return any(command.name == "accept" for command in commands_in(text, ctx.situation.bot))


def _settled(ticket: Ticket, ctx: Context, reason: str) -> Verdict:
    return withdrawn(ticket, ctx, reason, lambda: _signed(ticket, paragraph(SETTLED)))


def _signed(ticket: Ticket, text: Paragraph) -> Message:
    return signed(NAME, ticket.key, text, can_snooze=False)


def _case(ticket: Ticket, ctx: Context, sprint: Sprint) -> _Case:
    return _Case(ticket, ctx, sprint, ctx.cell.window(ctx.now, ctx.sprints), tuple(_joinings(ticket, ctx, sprint)))


def _joinings(ticket: Ticket, ctx: Context, sprint: Sprint) -> Iterator[SprintMove]:
    """What put the ticket into the sprint; Jira's history has no move for the sprint that a ticket is created in."""
    event = ctx.event
    if isinstance(event, TicketChanged) and event.sprint_move and sprint.id in event.sprint_move.added:
        yield event.sprint_move
        return
    moves = [move for move in ticket.sprint_moves if sprint.id in move.added]
    if not moves:
        yield SprintMove(at=ticket.created_at, by=ticket.creator, after=(sprint.id,))
    yield from moves


def _waits_where_we_moved_it(ticket: Ticket, ctx: Context) -> bool:
    """Whether it was moved out of a sprint by us, and into none but Stretch Goals since."""
    is_elsewhere = any(one.state != "closed" and not ctx.cell.is_stretch_goals(one) for one in ticket.sprints)
    return ctx.said is not None and ctx.said.state == _MOVED and not is_elsewhere


def _outside(case: _Case) -> Verdict:
    ticket, sprint = case.ticket, case.sprint
    if not _is_accepted(case):
        return Verdict.passed(f"it waits in {case.refuge} for its acceptance into {sprint.name}")
    turns = case.ctx.said.turns if case.ctx.said else 0
    back = MoveToSprint(ticket=ticket.key, occasion=f"{case.occasion}:back-{turns}", sprint=sprint.id, name=sprint.name)
    thanks = EditComment(
        ticket=ticket.key,
        occasion=case.occasion,
        state=_ACCEPTED,
        message=_thanks(case),
        after=back.key(NAME, ticket.key),
    )
    return wanted(NAME, ticket.key, case.ctx, f"it is accepted, so it moves back to {sprint.name}", back, thanks)


def _inside(case: _Case) -> Verdict:
    welcome = _no_insertion(case)
    if welcome:
        return _settled(case.ticket, case.ctx, welcome)
    accepted = _trusted(case) or (_is_accepted(case) and f"it is accepted for {case.sprint.name}")
    if accepted:
        return _accepted(case, accepted)
    other = _replaced(case)
    if other and case.ctx.now < case.confirm_by:
        return _confirm(case, other)
    return _move_out(case, f"{case.reason}, and nobody confirmed that it replaces {other}" if other else case.reason)


def _no_insertion(case: _Case) -> str | None:
    """Why the ticket is in its sprint by right; None where it joined too late."""
    calendar, at, name = case.window.calendar, case.joined.at, case.sprint.name
    if at <= case.deadline:
        return f"it joined {name} in time: {case.date(at)}"
    if _is_carried_over(case):
        return f"it comes to {name} from the sprint that is closing: a spillover, not an insertion"
    is_new = not case.ctx.said_in(case.occasion)
    if is_new and calendar.working_time_between(at, case.ctx.now) > case.ctx.params.look_back:
        return f"it joined {name} too long ago to be moved now: {case.date(at)}"
    return None


def _is_carried_over(case: _Case) -> bool:
    sprints = case.ctx.sprints
    shown = (*case.ticket.sprints, sprints.active, sprints.next, sprints.stretch_goals)
    known = {sprint.id: sprint for sprint in shown if sprint}
    return any(
        _closes_around(known[number], case) if number in known else _has_closed_since(case)
        for number in case.joined.before
    )


def _has_closed_since(case: _Case) -> bool:
    """Whether the sprint that ran when the ticket joined is over: a ticket that left it before shows it no more."""
    return case.ctx.sprints.active is None or case.joined.at < case.window.start


def _closes_around(sprint: Sprint, case: _Case) -> bool:
    """Whether that sprint of the same board ran when the ticket joined, or had been completed within the day before."""
    if None not in {sprint.board, case.sprint.board} and sprint.board != case.sprint.board:
        return False
    if sprint.state != "closed":
        return sprint.state == "active"
    closed = sprint.completed_at or sprint.end
    return closed is not None and case.joined.at <= closed + CLOSING


def _trusted(case: _Case) -> str | None:
    """Why whoever added the ticket may do so at any time; None for everybody else."""
    by = case.joined.by
    if by is None:
        return None
    if by.jira_ids & case.ctx.situation.bot:
        return "Crafty itself added it"
    if by.is_same(case.manager):
        return f"{by.name}, the sprint planning manager, added it"
    if _is_emergency(case) and any(one.is_same(by) for one in _firefighters_then(case)):
        return f"{by.name} added it in an emergency, on firefighter duty"
    return None


def _is_emergency(case: _Case) -> bool:
    ticket, params = case.ticket, case.ctx.params
    return bool(
        _folded((ticket.kind,)) & _folded(params.emergency_kinds)
        or _folded(ticket.labels) & _folded(params.emergency_labels)
    )


def _folded(names: tuple[str, ...]) -> set[str]:
    return {name.casefold() for name in names}


def _firefighters_then(case: _Case) -> tuple[Person, ...]:
    """Who was on duty when the ticket joined."""
    at = case.joined.at
    window = case.window if at >= case.window.start else case.window_before
    return firefighters(msgspec.structs.replace(case.ctx, now=at), window)


def _is_accepted(case: _Case) -> bool:
    """By the label, or by a word of the sprint planning manager since the ticket joined."""
    if case.ctx.params.accepted_label.casefold() in _folded(case.ticket.labels):
        return True
    return any(
        said.command.name == "accept" and said.remark.at >= case.late_since
        for said in said_to_us(case.ticket.remarks, case.ctx.situation.bot)
        if said.remark.author and said.remark.author.is_same(case.manager)
    )


def _accepted(case: _Case, reason: str) -> Verdict:
    if not case.ctx.is_asking:
        return Verdict.passed(reason)
    return passed_and_told(case.ticket, case.ctx, reason, _ACCEPTED, lambda: _thanks(case))


def _thanks(case: _Case) -> Message:
    return _signed(case.ticket, paragraph(ACCEPTED, sprint=case.sprint.name))


def _replaced(case: _Case) -> str | None:
    """The key of the cell's ticket that this one replaces or is split from, by its links or its description."""
    others = (*_linked(case), *_described(case))
    return next((key for key in others if key != case.ticket.key and _project(key) in case.ctx.cell.projects), None)


def _project(key: str) -> str:
    return key.rpartition("-")[0]


def _linked(case: _Case) -> Iterator[str]:
    phrases = _folded(case.ctx.params.replacing_phrases)
    return (link.key for link in case.ticket.links if link.phrase.casefold() in phrases)


def _described(case: _Case) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(case.ticket.description or ""):
        if _REPLACING.search(sentence):
            yield from _KEY.findall(sentence)


def _confirm(case: _Case, other: str) -> Verdict:
    ticket, ctx = case.ticket, case.ctx
    question = Comment(
        ticket=ticket.key,
        occasion=case.occasion,
        state=_CONFIRM,
        message=_question(case, other, case.manager or "Hello", "this ticket"),
    )
    reason = f"{case.reason}; it replaces or splits {other}, so it stays until it is confirmed"
    return asked(ticket, ctx, reason, question, *_ask_in_chat(case, other), again=case.confirm_by)


def _ask_in_chat(case: _Case, other: str) -> Iterator[Notify]:
    if case.manager:
        message = _question(case, other, case.manager, case.link)
        yield Notify(person=case.manager, occasion=f"{case.occasion}:confirm", message=message)


def _question(case: _Case, other: str, who: Person | str, ticket: Link | str) -> Message:
    text = paragraph(
        CONFIRM,
        who=who,
        ticket=ticket,
        sprint=case.sprint.name,
        manager="you" if case.manager else _ANY_MANAGER,
        label=case.ctx.params.accepted_label,
        other=other,
        deadline=case.moment(case.deadline),
        due=case.moment(case.confirm_by),
        refuge=case.refuge,
    )
    return _signed(case.ticket, text)


def _move_out(case: _Case, reason: str) -> Verdict:
    key = case.ticket.key
    move, *also = _moves(case)
    after = move.key(NAME, key)
    comment = Comment(
        ticket=key, occasion=case.occasion, state=_MOVED, message=_told(case, _people(case), "this ticket"), after=after
    )
    told = (*_tell_manager(case, after), *_tell_people(case, after))
    return wanted(NAME, key, case.ctx, f"{reason}, so it moves to {case.refuge}", move, *also, comment, *told)


def _moves(case: _Case) -> Iterator[Action]:
    """The move, different for each time it joined, and then what goes with it."""
    key, occasion = case.ticket.key, f"{case.occasion}:joined-{case.joined.at.timestamp():.0f}"
    stretch_goals = case.ctx.sprints.stretch_goals
    if stretch_goals is None:
        yield MoveToBacklog(ticket=key, occasion=occasion)
        text = NO_STRETCH_GOALS.format(cell=case.ctx.cell.name, name=case.ctx.cell.stretch_goals)
        yield Warn(about=case.ctx.cell.name, occasion=case.occasion, text=text)
        return
    move = MoveToSprint(ticket=key, occasion=occasion, sprint=stretch_goals.id, name=stretch_goals.name)
    yield move
    yield RankTop(ticket=key, occasion=occasion, sprint=stretch_goals.id, after=move.key(NAME, key))


def _people(case: _Case) -> tuple[Person, ...]:
    """The reporter and the epic owner, each once."""
    reporter, owner = case.ticket.reporter, case.ticket.epic_owner
    return tuple(one for one in (reporter, None if owner and owner.is_same(reporter) else owner) if one)


def _told(case: _Case, people: tuple[Person, ...], ticket: Link | str) -> Message:
    text = paragraph(
        MOVED,
        who=people or "Hello",
        ticket=ticket,
        manager=case.manager.name if case.manager else _ANY_MANAGER,
        label=case.ctx.params.accepted_label,
        sprint=case.sprint.name,
    )
    return _signed(case.ticket, joined(text, _whereabouts(case)))


def _whereabouts(case: _Case) -> Paragraph:
    deadline = case.moment(case.deadline)
    if case.ctx.sprints.stretch_goals:
        return paragraph(IN_STRETCH_GOALS, refuge=case.refuge, deadline=deadline)
    return paragraph(IN_BACKLOG, refuge=case.ctx.cell.stretch_goals, deadline=deadline)


def _tell_manager(case: _Case, after: str) -> Iterator[Notify]:
    if case.manager:
        label, sprint = case.ctx.params.accepted_label, case.sprint.name
        text = paragraph(CHAT_MOVED, who=case.manager, ticket=case.link, label=label, sprint=sprint)
        message = _signed(case.ticket, joined(text, _whereabouts(case)))
        yield Notify(person=case.manager, occasion=case.occasion, message=message, after=after)


def _tell_people(case: _Case, after: str) -> Iterator[Notify]:
    """Edits notify nobody, so where the comment said something else before, people get a chat message too."""
    if not case.ctx.said_in(case.occasion) or case.ctx.said_in(case.occasion, _MOVED):
        return
    for person in _people(case):
        if not person.is_same(case.manager):
            message = _told(case, (person,), case.link)
            yield Notify(person=person, occasion=case.occasion, message=message, after=after)


RULE = Rule(
    name=NAME,
    concerns=frozenset({TicketChanged, CommentPosted, Due}),
    params=Params,
    check=check,
    doc=__doc__,
    can_snooze=False,
)
