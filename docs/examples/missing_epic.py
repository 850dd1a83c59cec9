"""A ticket of the running sprint belongs to an epic.

Asks the assignee once per ticket and sprint, after a grace of working time since the ticket was made. The comment says
when all is well again. Sub-tasks and the kinds of tickets in `exempt_kinds` need no epic.
"""

from typing import Final

from pydantic import Field

from service.actions import ASKING, Comment
from service.events import Due, TicketChanged
from service.facts import Sprint, Ticket
from service.rules._base import Context, Rule, RuleParams, Verdict, asked, running_sprint, signed, wait_until, withdrawn
from service.texts import paragraph
from service.values import WorkingTime

NAME: Final = "missing-epic"


class Params(RuleParams):
    """What a cell can tune."""

    grace: WorkingTime = Field(
        "24h", validate_default=True, description="How long a new ticket may be without an epic before somebody asks."
    )
    exempt_kinds: tuple[str, ...] = Field(
        ("Epic", "Emergency"), strict=False, description="Issue types that need no epic."
    )


ASK = "{who}, which epic does this ticket belong to? A line in its epic field is all it takes."
SETTLED = "All is well here: this ticket has an epic, or needs none. Thank you!"


def check(ticket: Ticket, ctx: Context) -> Verdict:
    """Whether this ticket lacks its epic, and for how long already."""
    if ticket.is_subtask or ticket.kind in ctx.params.exempt_kinds:
        return _settled(ticket, ctx, f"needs no epic: {ticket.kind}")
    if ticket.epic_key:
        return _settled(ticket, ctx, f"it belongs to {ticket.epic_key}")
    sprint = running_sprint(ticket, ctx)
    if sprint is None:
        return _settled(ticket, ctx, "it is not in the cell's running sprint")
    due = ctx.cell.calendar.add_working_time(ticket.created_at, ctx.params.grace)
    if ctx.now < due:
        return wait_until(due, ticket, "it is new, and has no epic yet")
    return asked(ticket, ctx, f"{ticket.key} belongs to no epic", _question(ticket, sprint))


def _settled(ticket: Ticket, ctx: Context, reason: str) -> Verdict:
    return withdrawn(ticket, ctx, reason, lambda: signed(NAME, ticket.key, paragraph(SETTLED)))


def _question(ticket: Ticket, sprint: Sprint) -> Comment:
    ask = paragraph(ASK, who=ticket.assignee or ticket.reporter or "Hello")
    return Comment(
        ticket=ticket.key,
        occasion=f"sprint-{sprint.id}",
        state=f"{ASKING} epic",
        message=signed(NAME, ticket.key, ask),
    )


RULE = Rule(name=NAME, concerns=frozenset({TicketChanged, Due}), params=Params, check=check, doc=__doc__)
