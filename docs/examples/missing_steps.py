"""A bug of the running sprint says how to see it.

Asks its reporter once per ticket and sprint where the description has fewer than `words`, after a grace of working time
since the ticket was made. The comment says when all is well. Which kinds of tickets are bugs stands in `kinds`.
"""

from typing import Final

from pydantic import Field

from service.actions import ASKING, Comment
from service.events import Due, TicketChanged
from service.facts import Sprint, Ticket
from service.rules._base import Context, Rule, RuleParams, Verdict, asked, running_sprint, signed, wait_until, withdrawn
from service.texts import paragraph
from service.values import WorkingTime

NAME: Final = "missing-steps"


class Params(RuleParams):
    """What a cell can tune."""

    grace: WorkingTime = Field(
        "24h", validate_default=True, description="How long a bug may be without its steps before somebody asks."
    )
    words: int = Field(10, ge=1, le=500, description="How many words of description are enough.")
    kinds: tuple[str, ...] = Field(("Bug",), strict=False, description="The issue types that are bugs.")


ASK = "{who}, could you add to the description how to see this? A few steps help whoever mends it."
SETTLED = "Nothing is needed here any more. Thank you!"


def check(ticket: Ticket, ctx: Context) -> Verdict:
    """Whether this bug lacks its steps, and for how long already."""
    if ticket.kind not in ctx.params.kinds:
        return _settled(ticket, ctx, f"it is no bug ({ticket.kind})")
    sprint = running_sprint(ticket, ctx)
    if sprint is None:
        return _settled(ticket, ctx, "it is not in the cell's running sprint")
    count = len((ticket.description or "").split())
    if count >= ctx.params.words:
        return _settled(ticket, ctx, f"its description has {count} words")
    due = ctx.cell.calendar.add_working_time(ticket.created_at, ctx.params.grace)
    if ctx.now < due:
        return wait_until(due, ticket, "it is new, and its description is short")
    return asked(ticket, ctx, f"{ticket.key} does not say how to see it", _question(ticket, sprint))


def _settled(ticket: Ticket, ctx: Context, reason: str) -> Verdict:
    return withdrawn(ticket, ctx, reason, lambda: signed(NAME, ticket.key, paragraph(SETTLED)))


def _question(ticket: Ticket, sprint: Sprint) -> Comment:
    ask = paragraph(ASK, who=ticket.reporter or ticket.assignee or "Hello")
    return Comment(
        ticket=ticket.key,
        occasion=f"sprint-{sprint.id}",
        state=f"{ASKING} steps",
        message=signed(NAME, ticket.key, ask),
    )


RULE = Rule(name=NAME, concerns=frozenset({TicketChanged, Due}), params=Params, check=check, doc=__doc__)
