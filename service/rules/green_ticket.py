"""A ticket of the next sprint is ready in time: it has an estimate, an assignee and a reviewer.

Looks at the tickets of the cell's next sprint; sub-tasks, epics and finished tickets need none of this. From a working
day before the deadline it keeps one comment on the ticket that says what is missing; days off of the person who is
asked do not count as working days. At the deadline each person gets one chat message with their tickets, and so do the
sprint planning manager and the first firefighter. An hour before the sprint starts, tickets without an assignee can be
moved to Stretch Goals.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from service.actions import ASKING, Action, Comment, Digest, MoveToSprint, Notify
from service.calendar import TimeOff
from service.events import Due, TicketChanged
from service.facts import Person, Sprint, Ticket, Unknown
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
    signed,
    wait_until,
    withdrawn,
)
from service.texts import Checklist, Item, Paragraph, item, paragraph, small
from service.values import WorkingTime

NAME: Final = "green-ticket"


class Params(RuleParams):
    """What a cell can tune."""

    reminder_lead: WorkingTime = Field(
        "24h",
        validate_default=True,
        description="How long before the deadline the ticket's responsible person is asked.",
    )
    push_unassigned: bool = Field(
        False, description="Whether the final check moves tickets without an assignee to Stretch Goals."
    )


ASK = "{who}, could you fill in the {missing}, so that this ticket is ready for {sprint}?"
DUE = "Planning needs it by {deadline}."
LATE = "It helps until {start}, the sprint's start."
FINAL = "The sprint is about to start, and it helps even now."
WAYS = " If the ticket can wait, moving it to {refuge} is fine too. This comment follows along."
TENTATIVE = "Assignee (tentatively {who})"
SECOND_PAIR_OF_EYES = "Reviewer (so far only the assignee is named; a second pair of eyes is needed)"

GREEN = "This ticket is ready: it has an estimate, an assignee and a reviewer. Thank you!"
MOVED = (
    "This ticket is not in the next sprint any more, so nothing is needed here for now. Thank you for sorting it out!"
)
FINISHED = "This ticket is finished, so nothing is needed here any more. Thank you!"
PUSHED = (
    "{who}, please assign somebody to {ticket} and move it back whenever it should go ahead. It waits in "
    "{stretch_goals} for now, because nobody was assigned an hour before {sprint} starts."
)
AGAIN = "{who}, could you look at {ticket} once more? This is empty again: {missing}. "

YOURS = "{who}, could you fill in what is missing here by {start}, when {sprint} starts? What can wait may come later."
LIST = (
    "{who}, could you see who might use a hand by {start}, when {sprint} starts? These tickets are not ready yet; "
    "their people were asked."
)
UNASSIGNED = "{who}, could you find somebody for these tickets by {start}, when {sprint} starts? Nobody is assigned."

FOOTER = "Crafty, rule green-ticket."

DIGEST_DELAY: Final = timedelta(minutes=10)
"""How long a list waits for the tickets that are looked at a little later."""


@dataclass(frozen=True)
class _Case(Case):
    """A ticket of the next sprint that is not ready."""

    missing: tuple[str, ...]

    @property
    def reason(self) -> str:
        return f"{self.ticket.key} misses {_listed(self.missing)} for {self.sprint.name}"

    @property
    def deadline(self) -> datetime:
        """The cell's deadline, or the final check where the sprint ends before it."""
        return min(self.window.green_deadline, self.window.final_check)

    @property
    def tentative(self) -> Person | None:
        """The assignee of a flagged ticket."""
        return self.ticket.assignee if self.ticket.assignee and self.ticket.flagged else None

    @property
    def is_alone(self) -> bool:
        """Whether nobody but the assignee is to review it."""
        return self.ticket.is_reviewed_by_assignee and not self.ticket.reviewers

    @property
    def is_late(self) -> bool:
        return self.ctx.now >= self.deadline

    @property
    def is_final(self) -> bool:
        return self.ctx.now >= self.window.final_check


def check(ticket: Ticket, ctx: Context) -> Verdict:
    """Whether this ticket is ready for the next sprint, and what helps where it is not."""
    if ticket.is_subtask or ticket.kind.casefold() == "epic":
        return Verdict.passed("sub-tasks and epics need not be ready for a sprint")
    if ticket.is_done or ticket.status.casefold() in ctx.cell.statuses.finished:
        reason = f"the ticket is finished ({ticket.status})"
        return withdrawn(ticket, ctx, reason, lambda: signed(NAME, ticket.key, paragraph(FINISHED)))
    if ctx.said and ctx.said.state == "pushed" and ticket.is_in(ctx.sprints.stretch_goals):
        return Verdict.passed("it was moved to Stretch Goals, where it may wait")
    missing = tuple(_missing(ticket))
    if not missing:
        reason = "it has an estimate, an assignee and a reviewer"
        return passed_and_told(ticket, ctx, reason, "green", lambda: signed(NAME, ticket.key, paragraph(GREEN)))
    sprint = ctx.sprints.next
    if sprint is None or not ticket.is_in(sprint):
        return _elsewhere(ticket, ctx)
    return _not_ready(_Case(ticket, ctx, sprint, ctx.cell.window(ctx.now, ctx.sprints), missing))


def _missing(ticket: Ticket) -> Iterator[str]:
    if ticket.estimate is None:
        yield "estimate"
    if ticket.assignee is None:
        yield "assignee"
    if not ticket.reviewers:
        yield "reviewer"


def _elsewhere(ticket: Ticket, ctx: Context) -> Verdict:
    if ticket.running_sprint:
        return Verdict.passed("it is not in the next sprint: its sprint runs already")
    return withdrawn(ticket, ctx, "it is not in the next sprint", lambda: signed(NAME, ticket.key, paragraph(MOVED)))


def _not_ready(case: _Case) -> Verdict:
    ticket, ctx = case.ticket, case.ctx
    lead = _lead(case)
    if ctx.now < min(lead, case.deadline):
        return _early(case, lead)
    if not case.is_late:
        return asked(ticket, ctx, case.reason, _question(case), *_ping(case), again=case.deadline)
    if not case.is_final:
        reason, again = f"{case.reason}; the deadline is over", case.window.final_check
        return asked(ticket, ctx, reason, _question(case), *_ping(case), *_digests(case), again=again)
    return _final(case)


def _lead(case: _Case) -> datetime:
    return case.ctx.cell.calendar.subtract_working_time(
        case.deadline, case.ctx.params.reminder_lead, _time_off_of_responsible(case)
    )


def _time_off_of_responsible(case: _Case) -> TimeOff:
    """Empty while the person is not known: that can only put a look off, and nobody is asked before they are known."""
    try:
        return absences(case.ticket.responsible, case.window)
    except Unknown:
        return ()


def _early(case: _Case, lead: datetime) -> Verdict:
    """A comment that stands already, because dates have moved since, is kept true; nobody is asked anew.

    Between two sprints no date of Jira's tells anything: the comment stays as it is.
    """
    if case.ctx.said_in(case.occasion) and case.ctx.sprints.active:
        return asked(case.ticket, case.ctx, case.reason, _question(case), again=lead)
    return wait_until(lead, case.ticket, f"{case.reason}; time enough until the reminder")


def _final(case: _Case) -> Verdict:
    ticket, ctx, stretch_goals = case.ticket, case.ctx, case.ctx.sprints.stretch_goals
    reason = f"{case.reason}; final check before the sprint starts"
    if ticket.assignee is not None:
        return asked(ticket, ctx, reason, _question(case), *_ping(case))
    if ctx.said_in(case.occasion, "pushed"):
        return Verdict.passed("it was moved to Stretch Goals already, and whoever moves it back knows best")
    if not ctx.params.push_unassigned or stretch_goals is None:
        return asked(ticket, ctx, reason, _question(case), *_ping(case), *_unassigned(case))
    return Verdict.act(
        f"{reason}: nobody is assigned, so it moves to {stretch_goals.name}", *_pushed(case, stretch_goals)
    )


def _pushed(case: _Case, stretch_goals: Sprint) -> Iterator[Action]:
    who, place, key = _addressee(case), stretch_goals.name, case.ticket.key
    move = MoveToSprint(ticket=key, occasion=case.occasion, sprint=stretch_goals.id, name=place)
    after = move.key(NAME, key)
    yield move
    text = paragraph(PUSHED, who=who, ticket="this ticket", stretch_goals=place, sprint=case.sprint.name)
    message = signed(NAME, case.ticket.key, text)
    yield Comment(ticket=key, occasion=case.occasion, state="pushed", message=message, after=after)
    if case.ctx.said_in(case.occasion) and isinstance(who, Person):
        text = paragraph(PUSHED, who=who, ticket=case.link, stretch_goals=place, sprint=case.sprint.name)
        message = signed(NAME, case.ticket.key, text)
        yield Notify(person=who, occasion=f"{case.occasion}:pushed", message=message, after=after)


def _question(case: _Case) -> Comment:
    ask = paragraph(ASK, who=_addressee(case), missing=_listed(case.missing), sprint=case.sprint.name)
    items = (
        item("Estimate", is_done="estimate" not in case.missing),
        _assignee_line(case),
        item(SECOND_PAIR_OF_EYES if case.is_alone else "Reviewer", is_done="reviewer" not in case.missing),
    )
    ways = joined(_by_when(case), paragraph(WAYS, refuge=_refuge(case)))
    text = signed(NAME, case.ticket.key, ask, Checklist(items), ways)
    return Comment(ticket=case.ticket.key, occasion=case.occasion, state=_state(case), message=text)


def _state(case: _Case) -> str:
    stage = " at the final check" if case.is_final else " after the deadline" if case.is_late else ""
    tentative = f" (tentatively {case.tentative.name})" if case.tentative else ""
    return f"{ASKING} {_listed(case.missing)}{tentative}{' (only the assignee)' if case.is_alone else ''}{stage}"


def _by_when(case: _Case) -> Paragraph:
    if case.is_final:
        return paragraph(FINAL)
    if case.is_late:
        return paragraph(LATE, start=case.moment(case.window.end))
    return paragraph(DUE, deadline=case.moment(case.deadline))


def _refuge(case: _Case) -> str:
    stretch_goals = case.ctx.sprints.stretch_goals
    return stretch_goals.name if stretch_goals else "the backlog"


def _addressee(case: _Case) -> Person | str:
    return case.ticket.responsible or case.ctx.cell.roles.get("sprint_planning_manager") or "Hello"


def _assignee_line(case: _Case) -> Item:
    if case.tentative:
        return item(TENTATIVE, is_done=True, who=case.tentative.name)
    return item("Assignee", is_done="assignee" not in case.missing)


def _ping(case: _Case) -> Iterator[Notify]:
    """Edits notify nobody, so a ticket that was ready and is not any more also gets its person a chat message."""
    said, person = case.ctx.said, case.ticket.responsible
    if person is None or said is None or said.occasion != case.occasion or case.ctx.is_asking:
        return
    again = paragraph(AGAIN, who=person, ticket=case.link, missing=_listed(case.missing))
    text = signed(NAME, case.ticket.key, joined(again, _by_when(case)))
    yield Notify(person=person, occasion=f"{case.occasion}:again-{said.turns}", message=text)


def _digests(case: _Case) -> Iterator[Digest]:
    """A line for the responsible person's list, and one for the list of each other who keeps an eye on the sprint."""
    responsible = case.ticket.responsible
    if responsible:
        yield _digest(case, responsible, "yours", YOURS)
    manager, first = case.ctx.cell.roles.get("sprint_planning_manager"), firefighters(case.ctx, case.window)[:1]
    for person in {person.id: person for person in (manager, *first) if person}.values():
        if not person.is_same(responsible):
            yield _digest(case, person, "list", LIST)


def _unassigned(case: _Case) -> Iterator[Digest]:
    manager = case.ctx.cell.roles.get("sprint_planning_manager")
    if manager:
        yield _digest(case, manager, "unassigned", UNASSIGNED)


def _digest(case: _Case, person: Person, name: str, template: str) -> Digest:
    return Digest(
        person=person,
        occasion=f"{case.occasion}:{name}",
        intro=paragraph(template, who=person, sprint=case.sprint.name, start=case.moment(case.window.end)),
        line=item("{ticket}: {missing}", ticket=case.link, missing=_listed(case.missing)),
        footer=small(FOOTER),
        at=case.ctx.now + DIGEST_DELAY,
    )


def _listed(missing: tuple[str, ...]) -> str:
    return " and ".join((", ".join(missing[:-1]), missing[-1])) if len(missing) > 1 else missing[0]


RULE = Rule(
    name=NAME,
    concerns=frozenset({TicketChanged, Due}),
    params=Params,
    check=check,
    doc=__doc__,
)
