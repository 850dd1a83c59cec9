"""A ticket of the running sprint has somebody to review it.

Asks once per ticket and sprint: at once when the ticket waits for review, after a grace of working time while it is in
progress. The assignee, a newcomer on trial and somebody who is away until after the sprint do not count as reviewers.
A working day after the question, a firefighter is made the reviewer or the firefighters are asked once more. Recurring
tickets and sub-tasks need no reviewer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from service.actions import Action, Comment, Notify, Recheck, SetReviewer
from service.calendar import SprintWindow
from service.events import Due, TicketChanged
from service.facts import Person, Sprint, Ticket, names_of
from service.rules._base import Context, Rule, RuleParams, Verdict, asked, passed_and_told
from service.texts import Link, Message, Paragraph, paragraph, small
from service.values import WorkingTime


class Params(RuleParams):
    """What a cell can tune."""

    grace: WorkingTime = Field(
        timedelta(hours=24), description="How long a ticket may be in progress before somebody asks who reviews it."
    )
    patience: WorkingTime = Field(
        timedelta(hours=24),
        description="How long after the question the firefighters step in, while it waits for review.",
    )
    assign_firefighter: bool = Field(
        False, description="Whether a firefighter on duty becomes the reviewer when nobody else was found."
    )


ASK = "{who}, who could review this ticket? {shortcoming}"
WAYS = "Put somebody's name in the reviewer field; this comment follows by itself. "
HELP = "If nobody comes to mind, {firefighters} on firefighter duty can help."
NO_HELP = "If nobody comes to mind, ask in the team's channel."
ASKED_AGAIN = "The firefighters were asked again."
REVIEWED = "{reviewers} reviews this ticket. Thank you!"
TAKEN = "{firefighter}, on firefighter duty, reviews this ticket now, since nobody else was found. Thank you!"
CHAT = "{who}, {ticket} waits for review and has no reviewer. Could you take it, or find somebody?"
CHAT_AGAIN = "{who}, {ticket} still has no reviewer, a day after the question. Could one of you take it?"
CHAT_TAKEN = "{who}, you are the reviewer of {ticket} now: nobody else was found, and you are on firefighter duty."
FOOTER = "Crafty, rule missing-reviewer. The comment changes as the ticket does."

NOBODY = "Nobody is named yet."
ASSIGNEE = "So far only the assignee is named, and a second pair of eyes is needed."
NEWCOMER = "{name} is new here, so somebody experienced is needed beside them."
AWAY = "{name} is away until after the sprint."


@dataclass(frozen=True)
class _Case:
    """One ticket of the running sprint that nobody can review, at one moment."""

    ticket: Ticket
    ctx: Context
    sprint: Sprint
    window: SprintWindow
    shortcoming: str

    @property
    def occasion(self) -> str:
        return f"sprint-{self.sprint.id}"

    @property
    def reason(self) -> str:
        return f"{self.ticket.key} is in {self.ticket.status} and has no reviewer who can do it: {self.shortcoming}"

    @property
    def link(self) -> Link:
        return Link(f"{self.ticket.key} {self.ticket.summary}", self.ticket.url)

    @property
    def firefighters(self) -> tuple[Person, ...]:
        """Who is on duty now, works today, and is not the assignee."""
        today = self.ctx.cell.calendar.local(self.ctx.now).date()
        on_duty = self.ctx.cell.on_duty("firefighter", self.window.day_of(self.ctx.now))
        return tuple(
            one for one in on_duty if not one.is_same(self.ticket.assignee) and not one.is_away_from(today, today)
        )


def check(ticket: Ticket, ctx: Context) -> Verdict:
    """Whether somebody can review this ticket, and whom to ask where nobody can."""
    status, statuses = ticket.status.casefold(), ctx.cell.statuses
    if ticket.is_subtask or status in statuses.recurring:
        return Verdict.passed("sub-tasks and recurring tickets need no reviewer")
    sprint = ticket.running_sprint
    if sprint is None:
        return Verdict.passed("it is not in a running sprint")
    window = ctx.cell.window(ctx.now, ctx.sprints)
    shortcoming = _shortcoming(ticket, ctx, window)
    if shortcoming is None:
        text = Message((paragraph(REVIEWED, reviewers=names_of(ticket.reviewers)), small(FOOTER)))
        return passed_and_told(ticket, ctx, f"{names_of(ticket.reviewers)} can review it", "reviewed", text)
    case = _Case(ticket, ctx, sprint, window, shortcoming)
    if status in statuses.need_review:
        return _waits_for_review(case)
    if status in statuses.in_progress:
        return _in_progress(case)
    return Verdict.passed(f"{ticket.status} needs no reviewer")


def _shortcoming(ticket: Ticket, ctx: Context, window: SprintWindow) -> str | None:
    """Why nobody can review the ticket, as a sentence; None where somebody can."""
    if not ticket.reviewers:
        return ASSIGNEE if ticket.is_reviewed_by_assignee else NOBODY
    today, last = (ctx.cell.calendar.local(at).date() for at in (ctx.now, window.end))
    present = [person for person in ticket.reviewers if not person.is_away_from(today, last)]
    if not present:
        return AWAY.format(name=names_of(ticket.reviewers))
    return NEWCOMER.format(name=names_of(present)) if all(person.newcomer for person in present) else None


def _in_progress(case: _Case) -> Verdict:
    ticket, ctx = case.ticket, case.ctx
    due = ctx.cell.calendar.add_working_time(ticket.entered_status_at, ctx.params.grace)
    if ctx.now < due:
        return Verdict.wait(f"{case.reason}; still in the grace period", Recheck(subject=ticket.key, at=due))
    people = tuple(person for person in (ticket.assignee, ticket.epic_owner) if person)
    return asked(ticket, ctx, case.reason, _question(case, people[:1] if _are_one(people) else people))


def _are_one(people: tuple[Person, ...]) -> bool:
    return len(people) == 2 and people[0].is_same(people[1])


def _waits_for_review(case: _Case) -> Verdict:
    said = case.ctx.said if case.ctx.said_in(case.occasion) else None
    first_asked = said.at if said else case.ctx.now
    due = case.ctx.cell.calendar.add_working_time(first_asked, case.ctx.params.patience)
    if case.ctx.now >= due:
        return _step_in(case)
    comment = _question(case, (case.ticket.assignee,) if case.ticket.assignee else ())
    also = () if case.ctx.said_in(case.occasion, comment.state) else _tell_firefighters(case, CHAT, "")
    return asked(case.ticket, case.ctx, case.reason, comment, *also, again=due)


def _step_in(case: _Case) -> Verdict:
    reason = f"{case.reason}; nobody was found since the question"
    taken = case.ctx.situation.reviews_taken
    if case.ctx.params.assign_firefighter and case.firefighters:
        return _assign(case, reason, min(case.firefighters, key=lambda one: taken.get(one.jira or "", 0)))
    comment = _question(case, (case.ticket.assignee,) if case.ticket.assignee else (), ASKED_AGAIN)
    also = () if case.ctx.said_in(case.occasion, comment.state) else _tell_firefighters(case, CHAT_AGAIN, ":again")
    return asked(case.ticket, case.ctx, reason, comment, *also)


def _assign(case: _Case, reason: str, firefighter: Person) -> Verdict:
    text = Message((paragraph(TAKEN, firefighter=firefighter.name), small(FOOTER)))
    chat = _chat(paragraph(CHAT_TAKEN, who=firefighter, ticket=case.link))
    return Verdict.act(
        f"{reason}, so {firefighter.name} on firefighter duty takes it",
        SetReviewer(ticket=case.ticket.key, occasion=case.occasion, person=firefighter, sprint=case.sprint.id),
        Comment(ticket=case.ticket.key, occasion=case.occasion, state="taken", message=text),
        Notify(person=firefighter, occasion=f"{case.occasion}:taken", message=chat),
    )


def _question(case: _Case, people: tuple[Person, ...], *lines: str) -> Comment:
    who = people or case.ticket.responsible or "Hello"
    help_line = paragraph(HELP, firefighters=names_of(case.firefighters)) if case.firefighters else paragraph(NO_HELP)
    ways = Paragraph((*paragraph(WAYS).inlines, *help_line.inlines))
    ask = paragraph(ASK, who=who, shortcoming=case.shortcoming)
    text = Message((ask, ways, *(paragraph(line) for line in lines), small(FOOTER)))
    state = " ".join((case.ticket.status.casefold(), case.shortcoming, *lines))
    return Comment(ticket=case.ticket.key, occasion=case.occasion, state=state, message=text)


def _tell_firefighters(case: _Case, template: str, suffix: str) -> Iterator[Action]:
    for person in case.firefighters:
        message = _chat(paragraph(template, who=person, ticket=case.link))
        yield Notify(person=person, occasion=f"{case.occasion}{suffix}", message=message)


def _chat(text: Paragraph) -> Message:
    return Message((text, small("Crafty, rule missing-reviewer.")))


RULE = Rule(
    name="missing-reviewer",
    concerns=frozenset({TicketChanged, Due}),
    params=Params,
    check=check,
    doc=__doc__,
)
