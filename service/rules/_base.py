"""What a rule is made of: parameters, a pure check, a verdict that explains itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import UnionType
from typing import Any, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from service.actions import ASKING, Action, Comment, EditComment, Recheck
from service.calendar import SprintWindow, TimeOff
from service.contributions import Contribution
from service.events import Event
from service.facts import Cell, Person, Said, Sprint, Sprints, Ticket
from service.situation import Situation
from service.texts import Block, Link, Message, Moment, Paragraph, small

Outcome = Literal["act", "wait", "pass"]

LABEL: Final = r"^\S{1,255}$"
"""The pattern of what Jira takes for a label."""

_WHY: Final = "Crafty, rule {rule}. On {ticket}: “@crafty why”."
_WHY_OR_SNOOZE: Final = "Crafty, rule {rule}. On {ticket}: “@crafty why” or “@crafty snooze 2d”."


class RuleParams(BaseModel):
    """A rule's own settings; each has a default and a description, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Verdict(msgspec.Struct, frozen=True):
    """What a rule concludes, always with a reason that people can read."""

    outcome: Outcome
    reason: str
    actions: tuple[Action, ...] = ()

    @classmethod
    def passed(cls, reason: str) -> Verdict:
        """Nothing to do."""
        return cls("pass", reason)

    @classmethod
    def wait(cls, reason: str, *actions: Action) -> Verdict:
        """Nothing to do yet; a Recheck says when to look again."""
        return cls("wait", reason, actions)

    @classmethod
    def act(cls, reason: str, *actions: Action) -> Verdict:
        """These actions are wanted now."""
        return cls("act", reason, actions)


class Context(msgspec.Struct, frozen=True):
    """What a rule is told besides its subject.

    params: the rule's own, as configured for this cell; now: the moment of the decision, an aware instant.
    """

    params: Any
    cell: Cell
    now: datetime
    event: Event
    situation: Situation

    @property
    def sprints(self) -> Sprints:
        return self.situation.sprints

    @property
    def said(self) -> Said | None:
        return self.situation.said

    def said_in(self, occasion: str, state: str = "") -> bool:
        """Whether the rule's comment stands for this occasion, and says exactly this where a state is given."""
        return self.said is not None and self.said.occasion == occasion and state in {"", self.said.state}

    def has_done(self, action: Action, rule: str, subject: str) -> bool:
        """Whether the rule did this before; of its comment, whether it says this by now."""
        if isinstance(action, Comment):
            return self.said_in(action.occasion, action.state)
        return action.key(rule, subject) in self.situation.done

    @property
    def is_asking(self) -> bool:
        """Whether the rule's comment still asks for something, at whatever occasion it was written."""
        return self.said is not None and self.said.state.startswith(ASKING)


@dataclass(frozen=True)
class Case:
    """A ticket that a rule has something to ask about, at one moment of a sprint."""

    ticket: Ticket
    ctx: Context
    sprint: Sprint
    window: SprintWindow

    @property
    def occasion(self) -> str:
        """One comment for each sprint."""
        return f"sprint-{self.sprint.id}"

    @property
    def link(self) -> Link:
        """The ticket, where a message speaks of it elsewhere."""
        return Link(f"{self.ticket.key} {self.ticket.summary}", self.ticket.url)

    def moment(self, at: datetime) -> Moment:
        """An instant, in the cell's time where the reader's is not known."""
        return Moment(at, self.ctx.cell.calendar.zone.key)


@dataclass(frozen=True)
class Rule:
    """A rule as the engine finds it. summary and doc come from its module's docstring.

    subject: what it decides about; can_snooze: whether a member's `snooze` keeps it quiet.
    """

    name: str
    concerns: frozenset[type[Event]]
    params: type[RuleParams]
    check: Callable[[Any, Context], Verdict]
    doc: str
    subject: type[Ticket] | type[Contribution] | UnionType = Ticket
    can_snooze: bool = True

    @property
    def summary(self) -> str:
        return self.doc.strip().splitlines()[0]


def signed(rule: str, ticket: str, *blocks: Block, can_snooze: bool = True) -> Message:
    """A message with its last line: which rule speaks, and how to ask it why or put it off.

    ticket: the key of the ticket on which that is asked.
    """
    return Message((*blocks, small(_WHY_OR_SNOOZE if can_snooze else _WHY, rule=rule, ticket=ticket)))


def joined(*parts: Paragraph) -> Paragraph:
    """Several sentences in one paragraph."""
    return Paragraph(tuple(inline for part in parts for inline in part.inlines))


def passed_and_told(ticket: Ticket, ctx: Context, reason: str, state: str, words: Callable[[], Message]) -> Verdict:
    """Nothing is wanted: where the rule's comment still says something else, it is edited, and nobody is pinged.

    words: composes what it says; most events need none, and composing for each took 10 % of evaluation.
    """
    if ctx.said is None or ctx.said.state == state:
        return Verdict.passed(reason)
    edit = EditComment(ticket=ticket.key, occasion=ctx.said.occasion, state=state, message=words())
    return Verdict.act(f"{reason}; the comment says so now", edit)


def withdrawn(ticket: Ticket, ctx: Context, reason: str, words: Callable[[], Message]) -> Verdict:
    """Nothing is wanted any more: a comment that still asks is edited to these words; any other stays as it is."""
    if not ctx.is_asking:
        return Verdict.passed(reason)
    return passed_and_told(ticket, ctx, reason, "withdrawn", words)


def asked(
    ticket: Ticket, ctx: Context, reason: str, comment: Comment, *also: Action, again: datetime | None = None
) -> Verdict:
    """Something is wanted: the rule's comment asks for it, once.

    also: what is wanted beside the comment; it is not wanted again while the comment says the same; again: when to look
    at the ticket once more.
    """
    recheck = (Recheck(subject=ticket.key, at=again),) if again else ()
    if ctx.said_in(comment.occasion, comment.state):
        return Verdict.wait(f"{reason}; the comment asks for it already", *recheck)
    return Verdict.act(reason, comment, *also, *recheck)


def wanted(
    rule: str, subject: str, ctx: Context, reason: str, *actions: Action, again: datetime | None = None
) -> Verdict:
    """These actions are wanted as long as they are not done: what was done is left out, and nothing left means wait.

    again: when to look at the subject once more; without it a verdict with nothing left to do passes.
    """
    left = [action for action in actions if not ctx.has_done(action, rule, subject)]
    recheck = (Recheck(subject=subject, at=again),) if again else ()
    if left:
        return Verdict.act(reason, *left, *recheck)
    return Verdict.wait(reason, *recheck) if again else Verdict.passed(reason)


def wait_until(at: datetime, ticket: Ticket, reason: str) -> Verdict:
    """Nothing to do before that instant."""
    return Verdict.wait(reason, Recheck(subject=ticket.key, at=at))


def firefighters(ctx: Context, window: SprintWindow) -> tuple[Person, ...]:
    """Who is on firefighter duty; whoever has it on the sprint's last day keeps it until the sprint is over."""
    last_day = window.calendar.length_days - 1
    return ctx.cell.on_duty("firefighter", min(max(window.day_of(ctx.now), 0), last_day))


def running_sprint(ticket: Ticket, ctx: Context) -> Sprint | None:
    """The cell's running sprint, where the ticket is in it; other sprints may be active on this board or another."""
    active = ctx.sprints.active
    if active is None:
        return ticket.running_sprint
    return next((one for one in ticket.sprints if one.state == "active" and one.id == active.id), None)


def absences(person: Person | None, window: SprintWindow) -> TimeOff:
    """The person's days off in this sprint: somebody who is away for years puts nothing off beyond it."""
    first, last = (window.calendar.local(at).date() for at in (window.start, window.end))
    return tuple((max(start, first), min(end, last)) for start, end in (person.time_off if person else ()))
