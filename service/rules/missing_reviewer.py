"""A ticket of the running sprint has somebody to review it.

Asks once per ticket and sprint: at once when the ticket waits for review, after a grace of working time while it is in
progress; days off of the assignee do not count. The assignee, a newcomer on trial and somebody who is away until after
the sprint do not count as reviewers. A working day after a ticket that waits for review was asked about, a firefighter
is made the reviewer or the firefighters are asked once more. Recurring tickets and sub-tasks need no reviewer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from service.actions import ASKING, Comment, Notify, SetReviewer
from service.calendar import SprintWindow
from service.events import Due, TicketChanged
from service.facts import Person, Ticket, names_of
from service.rules._base import (
    Case,
    Context,
    Rule,
    RuleParams,
    Verdict,
    absences,
    asked,
    firefighters,
    joined,
    passed_and_told,
    running_sprint,
    signed,
    wait_until,
    withdrawn,
)
from service.texts import Message, Paragraph, paragraph
from service.values import WorkingTime

NAME: Final = "missing-reviewer"


class Params(RuleParams):
    """What a cell can tune."""

    grace: WorkingTime = Field(
        "24h",
        validate_default=True,
        description="How long a ticket may be in progress before somebody asks who reviews it.",
    )
    patience: WorkingTime = Field(
        "24h",
        validate_default=True,
        description="How long after the question the firefighters step in, while it waits for review.",
    )
    assign_firefighter: bool = Field(
        False, description="Whether a firefighter on duty becomes the reviewer when nobody else was found."
    )


ASK = "{who}, who could review this ticket? {shortcoming}."
WAYS = "A name in the reviewer field is all it takes; this comment follows along. "
WAYS_UNTIL = "A name in the reviewer field by {due} is all it takes. "
HELP = "The firefighters can help to find somebody: {firefighters}."
STEP_IN = "After that the firefighters step in: {firefighters}."
ASKED_AGAIN = "The firefighters have been asked once more: {firefighters}."
NO_FIREFIGHTER = "If nobody comes to mind, the team's channel may know somebody."

NOBODY = "Nobody is named yet"
ASSIGNEE = "So far only the assignee is named; another pair of eyes helps"
NEWCOMER = "{are} new here, so somebody experienced is needed as well"
AWAY = "{are} away until after the sprint"

REVIEWED = "{reviewers} {review} this ticket. Thank you!"
TAKEN = "{firefighter}, on firefighter duty, reviews this ticket now, since nobody else was found. Thank you!"
NOT_NEEDED = "This ticket needs no reviewer any more. Thank you!"
CHAT = "{who}, could you review {ticket}, or find somebody who can? It waits for review. {shortcoming}."
CHAT_AGAIN = "{who}, could one of you review {ticket}? Nobody was found since the first question."
CHAT_TAKEN = (
    "{who}, you are the reviewer of {ticket} now: nobody else was found, and you are on firefighter duty. Should it "
    "not suit you, put another name in its reviewer field. Thank you!"
)

ENOUGH: Final = timedelta(hours=12)
"""The working time a review needs: half a day. Whoever has less of it left before the sprint's end is away too long."""

_TAKEN: Final = "taken by"
_AGAIN: Final = f"{ASKING} reviewer, asked again"


@dataclass(frozen=True)
class _Case(Case):
    """A ticket of the running sprint that nobody can review."""

    shortcoming: str

    @property
    def reason(self) -> str:
        return f"{self.ticket.key} is in {self.ticket.status} and has no reviewer who can do it: {self.shortcoming}"

    @property
    def firefighters(self) -> tuple[Person, ...]:
        """Who is on duty now, works today, and is not the assignee."""
        today = self.ctx.cell.calendar.local(self.ctx.now).date()
        on_duty = firefighters(self.ctx, self.window)
        return tuple(
            one for one in on_duty if not one.is_same(self.ticket.assignee) and not one.is_away_from(today, today)
        )

    @property
    def has_been_helped(self) -> bool:
        """Whether the firefighters stepped in already in this sprint."""
        said = self.ctx.said
        return said is not None and said.occasion == self.occasion and said.state.startswith((_TAKEN, _AGAIN))


def check(ticket: Ticket, ctx: Context) -> Verdict:
    """Whether somebody can review this ticket, and whom to ask where nobody can."""
    status, statuses = ticket.status.casefold(), ctx.cell.statuses
    if ticket.is_subtask or status in statuses.recurring:
        return _not_needed(ticket, ctx, "sub-tasks and recurring tickets need no reviewer")
    sprint = running_sprint(ticket, ctx)
    if sprint is None:
        return _not_needed(ticket, ctx, "it is not in the cell's running sprint")
    if status not in statuses.need_review | statuses.in_progress:
        return _not_needed(ticket, ctx, f"{ticket.status} needs no reviewer")
    window = ctx.cell.window(ctx.now, ctx.sprints)
    shortcoming = _shortcoming(ticket, ctx, window)
    if shortcoming is None:
        return _reviewed(ticket, ctx)
    case = _Case(ticket, ctx, sprint, window, shortcoming)
    return _waits_for_review(case) if status in statuses.need_review else _in_progress(case)


def _not_needed(ticket: Ticket, ctx: Context, reason: str) -> Verdict:
    return withdrawn(ticket, ctx, reason, lambda: signed(NAME, ticket.key, paragraph(NOT_NEEDED)))


def _reviewed(ticket: Ticket, ctx: Context) -> Verdict:
    reviewers = ticket.reviewers
    names = names_of(reviewers)
    reason = f"{names} can review it"
    if ctx.said and ctx.said.state == f"{_TAKEN} {names}":
        return Verdict.passed(reason)

    def words() -> Message:
        review = "reviews" if len(reviewers) == 1 else "review"
        return signed(NAME, ticket.key, paragraph(REVIEWED, reviewers=names, review=review))

    return passed_and_told(ticket, ctx, reason, f"reviewed by {names}", words)


def _shortcoming(ticket: Ticket, ctx: Context, window: SprintWindow) -> str | None:
    """Why nobody can review the ticket, as a sentence; None where somebody can."""
    if not ticket.reviewers:
        return ASSIGNEE if ticket.is_reviewed_by_assignee else NOBODY
    present = [person for person in ticket.reviewers if not _is_away_too_long(person, ctx.now, window)]
    if not present:
        return AWAY.format(are=_are(ticket.reviewers))
    return NEWCOMER.format(are=_are(present)) if all(person.newcomer for person in present) else None


def _is_away_too_long(person: Person, now: datetime, window: SprintWindow) -> bool:
    """Whether the person is off today, and the sprint leaves time for a review to others, but not to them."""
    calendar, days_off = window.calendar, person.time_off
    if not days_off or calendar.is_working_day(calendar.local(now).date(), days_off):
        return False
    left = calendar.working_time_between(now, window.end)
    return calendar.working_time_between(now, window.end, days_off) < ENOUGH <= left


def _are(people: Iterable[Person]) -> str:
    people = tuple(people)
    return f"{names_of(people)} {'is' if len(people) == 1 else 'are'}"


def _in_progress(case: _Case) -> Verdict:
    ticket, ctx = case.ticket, case.ctx
    due = ctx.cell.calendar.add_working_time(
        ticket.entered_status_at, ctx.params.grace, absences(ticket.assignee, case.window)
    )
    if ctx.now < due:
        return wait_until(due, ticket, f"{case.reason}; still in the grace period")
    people = tuple(person for person in (ticket.assignee, ticket.epic_owner) if person)
    who = people[:1] if _are_one(people) else people
    return asked(ticket, ctx, case.reason, _question(case, who, _ways(case), f"{ASKING} reviewer"))


def _are_one(people: tuple[Person, ...]) -> bool:
    return len(people) == 2 and people[0].is_same(people[1])


def _ways(case: _Case) -> Paragraph:
    due = case.window.review_deadline
    ways = paragraph(WAYS) if case.ctx.now >= due else paragraph(WAYS_UNTIL, due=case.moment(due))
    return joined(ways, _firefighters(case, HELP))


def _waits_for_review(case: _Case) -> Verdict:
    due = case.ctx.cell.calendar.add_working_time(_asked_at(case), case.ctx.params.patience)
    if case.has_been_helped or case.ctx.now >= due:
        return _step_in(case)
    ways = joined(paragraph(WAYS_UNTIL, due=case.moment(due)), _firefighters(case, STEP_IN))
    comment = _question(case, _assignee(case), ways, f"{ASKING} reviewer, waits for review")
    return asked(case.ticket, case.ctx, case.reason, comment, *_tell_firefighters(case), again=due)


def _asked_at(case: _Case) -> datetime:
    """When it was asked who takes the review that is due; what was asked while in progress was another matter."""
    said = case.ctx.said
    if said is None or said.occasion != case.occasion or not case.ctx.is_asking:
        return case.ctx.now
    return max(said.at, case.ticket.entered_status_at)


def _step_in(case: _Case) -> Verdict:
    reason = f"{case.reason}; nobody was found since the question"
    give = _giving(case)
    if give and give.key(NAME, case.ticket.key) not in case.ctx.situation.refused:
        return _assign(case, reason, give)
    ways = joined(paragraph(WAYS), _firefighters(case, ASKED_AGAIN))
    comment = _question(case, _assignee(case), ways, _AGAIN)
    return asked(case.ticket, case.ctx, reason, comment, *_tell_firefighters_again(case))


def _giving(case: _Case) -> SetReviewer | None:
    """The review for the firefighter with the fewest of them; None where none may or can take it."""
    able = [one for one in case.firefighters if one.jira and not one.newcomer]
    if not case.ctx.params.assign_firefighter or case.has_been_helped or not able:
        return None
    taken, turns = case.ctx.situation.reviews_taken, case.ctx.said.turns if case.ctx.said else 0
    firefighter, occasion = min(able, key=lambda one: taken.get(one.jira or "", 0)), f"{case.occasion}:taken-{turns}"
    return SetReviewer(ticket=case.ticket.key, occasion=occasion, person=firefighter, sprint=case.sprint.id)


def _assign(case: _Case, reason: str, give: SetReviewer) -> Verdict:
    key, firefighter = case.ticket.key, give.person
    text = signed(NAME, case.ticket.key, paragraph(TAKEN, firefighter=firefighter.name))
    chat = signed(NAME, case.ticket.key, paragraph(CHAT_TAKEN, who=firefighter, ticket=case.link))
    state, after = f"{_TAKEN} {firefighter.name}", give.key(NAME, key)
    return Verdict.act(
        f"{reason}, so {firefighter.name} on firefighter duty takes it",
        give,
        Comment(ticket=key, occasion=case.occasion, state=state, message=text, after=after),
        Notify(person=firefighter, occasion=give.occasion, message=chat, after=after),
    )


def _assignee(case: _Case) -> tuple[Person, ...]:
    return (case.ticket.assignee,) if case.ticket.assignee else ()


def _question(case: _Case, people: tuple[Person, ...], ways: Paragraph, stage: str) -> Comment:
    who = people or case.ticket.responsible or "Hello"
    ask = paragraph(ASK, who=who, shortcoming=case.shortcoming)
    return Comment(
        ticket=case.ticket.key,
        occasion=case.occasion,
        state=f"{stage}: {case.shortcoming}",
        message=signed(NAME, case.ticket.key, ask, ways),
    )


def _firefighters(case: _Case, template: str) -> Paragraph:
    if not case.firefighters:
        return paragraph(NO_FIREFIGHTER)
    return paragraph(template, firefighters=names_of(case.firefighters))


def _tell_firefighters(case: _Case) -> Iterator[Notify]:
    for person in case.firefighters:
        text = paragraph(CHAT, who=person, ticket=case.link, shortcoming=case.shortcoming)
        yield Notify(person=person, occasion=case.occasion, message=signed(NAME, case.ticket.key, text))


def _tell_firefighters_again(case: _Case) -> Iterator[Notify]:
    for person in case.firefighters:
        text = paragraph(CHAT_AGAIN, who=person, ticket=case.link)
        yield Notify(person=person, occasion=f"{case.occasion}:again", message=signed(NAME, case.ticket.key, text))


RULE = Rule(
    name=NAME,
    concerns=frozenset({TicketChanged, Due}),
    params=Params,
    check=check,
    doc=__doc__,
)
