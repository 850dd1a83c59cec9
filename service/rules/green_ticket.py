"""A ticket of the next sprint is ready in time: it has an estimate, an assignee and a reviewer.

Looks at the tickets of the cell's next sprint; sub-tasks, epics and finished tickets need none of this. From a working
day before the deadline it keeps one comment on the ticket that says what is missing; at the deadline each person gets
one chat message with their tickets, and so do the sprint planning manager and the first firefighter. An hour before
the sprint starts, tickets without an assignee can be moved to Stretch Goals.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from service.actions import Action, Comment, Digest, MoveToSprint, Notify, Recheck
from service.calendar import SprintWindow
from service.events import Due, TicketChanged
from service.facts import Person, Sprint, Ticket
from service.rules._base import Context, Rule, RuleParams, Verdict, asked, passed_and_told
from service.texts import Checklist, Link, Message, Moment, Paragraph, item, paragraph, small
from service.values import WorkingTime


class Params(RuleParams):
    """What a cell can tune."""

    reminder_lead: WorkingTime = Field(
        timedelta(hours=24), description="How long before the deadline the ticket's responsible person is asked."
    )
    push_unassigned: bool = Field(
        False, description="Whether the final check moves tickets without an assignee to Stretch Goals."
    )


ASK = "{who}, could you add what is missing here, so that this ticket is ready for {sprint}?"
WHY = (
    "Tickets of the next sprint are ready by {deadline}. Filling in the fields is enough, this comment follows by "
    "itself; if the ticket can wait, moving it to {stretch_goals} is fine too."
)
GREEN = "This ticket is ready for the sprint: it has an estimate, an assignee and a reviewer. Thank you!"
MOVED = (
    "This ticket is not in the next sprint any more, so nothing is needed here for now. Thank you for sorting it out."
)
PUSHED = (
    "{who}, this ticket now waits in {stretch_goals}: nobody was assigned to it an hour before {sprint} starts. "
    "Assign someone and move it back whenever it should go ahead."
)
AGAIN = "{who}, a field of {ticket} is empty again: {missing}. It is due by {deadline}; filling it in is enough."
YOURS = (
    "{who}, these tickets of {sprint} still need something. Filling in the fields is enough, each follows by itself."
)
LIST = "{who}, these tickets of {sprint} are not ready yet. Their people were asked; maybe somebody could use a hand."
UNASSIGNED = "{who}, these tickets of {sprint} have no assignee, and the sprint starts at {start}."
FOOTER = "Crafty, rule green-ticket. The comment changes as the ticket does."
REVIEWED_BY_ASSIGNEE = "Reviewer (the assignee cannot review their own work)"

DIGEST_DELAY = timedelta(minutes=10)


@dataclass(frozen=True)
class _Case:
    """One ticket of the next sprint that is not ready, at one moment."""

    ticket: Ticket
    ctx: Context
    sprint: Sprint
    window: SprintWindow
    missing: tuple[str, ...]

    @property
    def occasion(self) -> str:
        return f"sprint-{self.sprint.id}"

    @property
    def reason(self) -> str:
        return f"{self.ticket.key} misses {_listed(self.missing)} for {self.sprint.name}"

    @property
    def link(self) -> Link:
        return Link(f"{self.ticket.key} {self.ticket.summary}", self.ticket.url)

    def moment(self, at: datetime) -> Moment:
        return Moment(at, self.ctx.cell.calendar.zone.key)


def check(ticket: Ticket, ctx: Context) -> Verdict:
    """Whether this ticket is ready for the next sprint, and what helps where it is not."""
    if ticket.is_subtask or ticket.kind.casefold() == "epic":
        return Verdict.passed("sub-tasks and epics need not be ready for a sprint")
    if ticket.is_done or ticket.status.casefold() in ctx.cell.statuses.finished:
        return Verdict.passed(f"the ticket is finished ({ticket.status})")
    missing = tuple(_missing(ticket))
    if not missing:
        text = Message((paragraph(GREEN), small(FOOTER)))
        return passed_and_told(ticket, ctx, "it has an estimate, an assignee and a reviewer", "green", text)
    if not ticket.is_in(ctx.sprints.next):
        return _elsewhere(ticket, ctx)
    return _not_ready(ticket, ctx, missing)


def _missing(ticket: Ticket) -> Iterator[str]:
    if ticket.estimate is None:
        yield "estimate"
    if ticket.assignee is None:
        yield "assignee"
    if not ticket.reviewers:
        yield "reviewer"


def _elsewhere(ticket: Ticket, ctx: Context) -> Verdict:
    if ticket.running_sprint or (ctx.said and ctx.said.state == "pushed"):
        return Verdict.passed("it is not in the next sprint")
    return passed_and_told(
        ticket, ctx, "it is not in the next sprint", "moved", Message((paragraph(MOVED), small(FOOTER)))
    )


def _not_ready(ticket: Ticket, ctx: Context, missing: tuple[str, ...]) -> Verdict:
    sprint = ctx.sprints.next
    if sprint is None:
        return Verdict.passed("the board has no next sprint")
    case = _Case(ticket, ctx, sprint, ctx.cell.window(ctx.now, ctx.sprints), missing)
    lead = ctx.cell.calendar.subtract_working_time(case.window.green_deadline, ctx.params.reminder_lead)
    if ctx.now < lead:
        return Verdict.wait(f"{case.reason}; time enough until the reminder", _recheck(case, lead))
    if ctx.now < case.window.green_deadline:
        return asked(ticket, ctx, case.reason, _question(case), *_ping(case), again=case.window.green_deadline)
    if ctx.now < case.window.final_check:
        also = (*_ping(case), *_digests(case))
        return asked(
            ticket, ctx, f"{case.reason}; the deadline is over", _question(case), *also, again=case.window.final_check
        )
    return _final(case)


def _final(case: _Case) -> Verdict:
    stretch_goals = case.ctx.sprints.stretch_goals
    reason = f"{case.reason}; final check before the sprint starts"
    if case.ticket.assignee is not None:
        return asked(case.ticket, case.ctx, reason, _question(case))
    if not case.ctx.params.push_unassigned or stretch_goals is None:
        return asked(case.ticket, case.ctx, reason, _question(case), *_unassigned(case))
    pushed = paragraph(PUSHED, who=_addressee(case), stretch_goals=stretch_goals.name, sprint=case.sprint.name)
    text = Message((pushed, small(FOOTER)))
    comment = Comment(ticket=case.ticket.key, occasion=case.occasion, state="pushed", message=text)
    move = MoveToSprint(ticket=case.ticket.key, occasion=case.occasion, sprint=stretch_goals.id)
    return Verdict.act(f"{reason}: nobody is assigned, so it moves to {stretch_goals.name}", move, comment)


def _question(case: _Case) -> Comment:
    items = (
        item("Estimate", is_done="estimate" not in case.missing),
        item(_assignee_line(case.ticket), is_done="assignee" not in case.missing),
        item(_reviewer_line(case.ticket), is_done="reviewer" not in case.missing),
    )
    deadline = case.moment(case.window.green_deadline)
    why = paragraph(WHY, deadline=deadline, stretch_goals=case.ctx.cell.stretch_goals)
    text = Message(
        (paragraph(ASK, who=_addressee(case), sprint=case.sprint.name), Checklist(items), why, small(FOOTER))
    )
    return Comment(
        ticket=case.ticket.key, occasion=case.occasion, state=f"missing {_listed(case.missing)}", message=text
    )


def _addressee(case: _Case) -> Person | str:
    return case.ticket.responsible or case.ctx.cell.roles.get("sprint_planning_manager") or "Hello"


def _assignee_line(ticket: Ticket) -> str:
    return f"Assignee (tentatively {ticket.assignee.name})" if ticket.assignee and ticket.flagged else "Assignee"


def _reviewer_line(ticket: Ticket) -> str:
    return REVIEWED_BY_ASSIGNEE if ticket.is_reviewed_by_assignee and not ticket.reviewers else "Reviewer"


def _ping(case: _Case) -> Iterator[Action]:
    """Edits notify nobody, so a ticket that was ready and is not any more also gets its person a chat message."""
    said, person = case.ctx.said, case.ticket.responsible
    if person is None or said is None or said.occasion != case.occasion or said.state.startswith("missing"):
        return
    deadline = case.moment(case.window.green_deadline)
    again = paragraph(AGAIN, who=person, ticket=case.link, missing=_listed(case.missing), deadline=deadline)
    text = Message((again, small(FOOTER)))
    yield Notify(person=person, occasion=f"{case.occasion}:again-{said.turns}", message=text)


def _digests(case: _Case) -> Iterator[Digest]:
    day = case.window.day_of(case.ctx.now)
    planners = [case.ctx.cell.roles.get("sprint_planning_manager"), *case.ctx.cell.on_duty("firefighter", day)[:1]]
    recipients = [(case.ticket.responsible, "yours", YOURS), *((planner, "list", LIST) for planner in planners)]
    for person, name, intro in recipients:
        if person:
            yield _digest(
                case, person, f"{case.occasion}:{name}", paragraph(intro, who=person, sprint=case.sprint.name)
            )


def _digest(case: _Case, person: Person, occasion: str, intro: Paragraph) -> Digest:
    line = item("{ticket}: {missing}", ticket=case.link, missing=_listed(case.missing))
    at = max(case.ctx.now, case.window.green_deadline) + DIGEST_DELAY
    return Digest(person=person, occasion=occasion, intro=intro, line=line, footer=small(FOOTER), at=at)


def _unassigned(case: _Case) -> Iterator[Digest]:
    planner = case.ctx.cell.roles.get("sprint_planning_manager")
    if planner:
        start = case.moment(case.window.end)
        intro = paragraph(UNASSIGNED, who=planner, sprint=case.sprint.name, start=start)
        yield _digest(case, planner, f"{case.occasion}:unassigned", intro)


def _listed(missing: tuple[str, ...]) -> str:
    return " and ".join((", ".join(missing[:-1]), missing[-1])) if len(missing) > 1 else missing[0]


def _recheck(case: _Case, at: datetime) -> Recheck:
    return Recheck(subject=case.ticket.key, at=at)


RULE = Rule(
    name="green-ticket",
    concerns=frozenset({TicketChanged, Due}),
    params=Params,
    check=check,
    doc=__doc__,
)
