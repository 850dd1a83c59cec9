"""Crafty answers whoever speaks to it.

In a comment on a ticket, or in a post of a watched topic, people ask for help or why the rules did something, put
Crafty off, accept a late addition, give the reason of a spillover, call something urgent, or plan a review. One comment
answers everything that is new on a ticket; each post of a topic gets one reply. What the rules task-insertion and
spillover answer in their own comments gets no second answer here. Remarks older than `look_back` are let be.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field

from service.actions import Comment, Reply
from service.commands import Command, Name, Spoken, commands_in, is_ours, said_to_us
from service.contributions import Answer, Contribution
from service.events import CommentPosted, ContributionNoted, Due, Event, TicketChanged
from service.facts import Person, Remark, Ticket, names_of
from service.rules._base import Context, Rule, RuleParams, Verdict, firefighters, signed
from service.texts import Block, Checklist, Moment, Value, item, paragraph
from service.values import Duration

NAME: Final = "answers"


class Params(RuleParams):
    """What a cell can tune."""

    look_back: Duration = Field(
        "7d", validate_default=True, description="How old a remark may be that Crafty has not answered yet."
    )


HELP = "{who}, these words work in a comment on this ticket."
HELP_LINES = (
    "“@crafty why”: what the rules concluded here",
    "“@crafty snooze 2d”: the team wants it quiet here for so long; hours (h) and weeks (w) work too",
    "“@crafty accept”: the sprint planning manager accepts a late addition to a sprint",
    "“@crafty: <spillover>reason</spillover>”: the assignee says why it did not fit into the sprint",
    "“@crafty urgent”: the reviewer says that it cannot wait",
    "“@crafty plan 1h 30m for reviewing”: the reviewer plans the time",
)
HELP_IN_TOPIC = "{who}, “@crafty why” works in a post here: it tells what the rules concluded about this topic."

WHY = "{who}, this is what the rules concluded here. A tick means that nothing is needed."
WHY_LINE = "{rule}, {at}: {reason}"
NOT_LOOKED = "{who}, no rule has looked at this {what} yet."

SNOOZED = "{who}, quiet here until {until}. “@crafty snooze 0d” ends that sooner."
AWAKE = "{who}, Crafty follows this ticket again."
NOT_YOURS_TO_SNOOZE = "{who}, anybody of the team {cell} can put this off, with the same words in a comment."

NOTHING_TO_ACCEPT = "{who}, all is well: no late addition waits for you on this ticket."
NOT_YOURS_TO_ACCEPT = "{who}, {planner} can accept a late addition, with the same words in a comment here."
PLANNER = "the sprint planning manager"

NOT_YOURS_TO_EXPLAIN = "{who}, thank you. The reason counts once one of these people writes it here: {people}."
NOBODY_TO_EXPLAIN = "{who}, thank you. The reason counts once the ticket has an assignee who writes it here."

NOT_AT_RISK = (
    "{who}, thank you. Crafty does not follow this ticket as one at risk; these people can help now: {people}."
)
NOT_AT_RISK_ALONE = "{who}, thank you. Crafty does not follow this ticket as one at risk; the team's channel can help."
NOT_YOURS_TO_HURRY = "{who}, the reviewer can say that it is urgent, with the same words here: {people}."

PLANNED = "{who}, thank you! Planned: {span} for reviewing."
NOT_YOURS_TO_PLAN = "{who}, the reviewer can plan that time, with the same words here: {people}."
NO_REVIEWER = "nobody is named yet"

UNKNOWN = "{who}, Crafty does not understand “{word}”. "
NO_WORD = "{who}, Crafty listens. "
WORDS = "These work: “@crafty help”, “@crafty why”, “@crafty snooze 2d”, “@crafty accept”."
WORDS_IN_TOPIC = "These work here: “@crafty help”, “@crafty why”."
ON_TICKETS = "{who}, “{word}” works in the comments of Jira tickets. Here “@crafty why” does."

NOBODY_SPOKE = "nobody spoke to Crafty"
NOBODY_WAITS = "nobody waits for an answer"

STATE: Final = "answered"
MOST_REASONS: Final = 5

Blocks = tuple[Block, ...]


@dataclass(frozen=True)
class _Asked:
    """What somebody wants from Crafty. by: None where nobody knows who wrote it."""

    ctx: Context
    command: Command
    by: Person | None
    at: datetime

    def answer(self, template: str, **values: Value) -> Blocks:
        """One paragraph for whoever asked."""
        return (paragraph(template, who=self.by or "Hello", **values),)

    def is_by(self, *people: Person | None) -> bool:
        return any(person and person.is_same(self.by) for person in people)


def check(subject: Ticket | Contribution, ctx: Context) -> Verdict:
    """Whether somebody waits for an answer of Crafty's on this ticket or topic, and which one."""
    if not _may_speak(ctx.event, subject, ctx.situation.bot):
        return Verdict.passed(NOBODY_SPOKE)
    return _on_ticket(subject, ctx) if isinstance(subject, Ticket) else _in_topic(subject, ctx)


def _may_speak(event: Event, subject: Ticket | Contribution, bot: frozenset[str]) -> bool:
    """Whether what happened may be something said to Crafty, so that it is worth a look."""
    match event:
        case CommentPosted():
            return bool(commands_in(event.text, bot))
        case ContributionNoted():
            return any(note.text for note in event.notes)
        case TicketChanged():
            return "remarks" in subject.known()
        case _:
            return True


# Tickets


def _on_ticket(ticket: Ticket, ctx: Context) -> Verdict:
    spoken = [one for one in said_to_us(ticket.remarks, ctx.situation.bot) if _is_new(one.remark, ctx)]
    if not spoken:
        return Verdict.passed(NOBODY_WAITS)
    everything = _merged(spoken, ctx)
    blocks = [block for asked in everything for block in _ANSWERS[asked.command.name](asked, ticket)]
    if not blocks:
        return Verdict.passed(f"{_told(everything)}; another rule answers that")
    comment = Comment(
        ticket=ticket.key,
        occasion=f"remark-{spoken[-1].remark.id}",
        state=STATE,
        message=signed(NAME, ticket.key, *blocks, can_snooze=False),
    )
    return Verdict.act(_told(everything), comment)


def _is_new(remark: Remark, ctx: Context) -> bool:
    """Whether the remark is newer than the last one that was answered."""
    if remark.at < ctx.now - ctx.params.look_back:
        return False
    if ctx.said is None:
        return True
    answered = ctx.said.occasion.removeprefix("remark-")
    if answered.isdecimal() and remark.id.isdecimal():
        return int(remark.id) > int(answered)
    return remark.at > ctx.said.at


def _merged(spoken: Iterable[Spoken], ctx: Context) -> tuple[_Asked, ...]:
    """What each person asked; of the same thing said twice the latest."""
    latest = {(one.remark.author, one.command.name): one for one in spoken}
    return tuple(_Asked(ctx, one.command, one.remark.author, one.remark.at) for one in latest.values())


def _told(everything: Iterable[_Asked]) -> str:
    return ", ".join(
        f"{asked.by.name if asked.by else 'somebody'} spoke to Crafty ({asked.command.name})" for asked in everything
    )


def _help(asked: _Asked, _: Ticket) -> Blocks:
    return *asked.answer(HELP), Checklist(tuple(item(line, is_done=True) for line in HELP_LINES))


def _why(asked: _Asked, _: Ticket) -> Blocks:
    return _reasons(asked, "ticket")


def _reasons(asked: _Asked, what: str) -> Blocks:
    zone = asked.ctx.cell.calendar.zone.key
    told = sorted((one for one in asked.ctx.situation.told if one.rule != NAME), key=lambda one: one.at, reverse=True)
    if not told:
        return asked.answer(NOT_LOOKED, what=what)
    lines = (
        item(WHY_LINE, one.outcome == "pass", rule=one.rule, at=Moment(one.at, zone), reason=one.reason)
        for one in told[:MOST_REASONS]
    )
    return *asked.answer(WHY), Checklist(tuple(lines))


def _snooze(asked: _Asked, _: Ticket) -> Blocks:
    cell, until = asked.ctx.cell, asked.at + asked.command.span
    if asked.by is None or not asked.by.is_member:
        return asked.answer(NOT_YOURS_TO_SNOOZE, cell=cell.name)
    if until <= asked.ctx.now:
        return asked.answer(AWAKE)
    return asked.answer(SNOOZED, until=Moment(until, cell.calendar.zone.key))


def _accept(asked: _Asked, ticket: Ticket) -> Blocks:
    planner = asked.ctx.cell.roles.get("sprint_planning_manager")
    if not asked.is_by(planner):
        return asked.answer(NOT_YOURS_TO_ACCEPT, planner=planner.name if planner else PLANNER)
    return () if _speaks("task-insertion", ticket, asked.ctx) else asked.answer(NOTHING_TO_ACCEPT)


def _spillover(asked: _Asked, ticket: Ticket) -> Blocks:
    """The rule spillover listens to the same people; those on a rotation are too many to name."""
    was_theirs = any(asked.by and line.is_of(asked.by) for line in asked.ctx.situation.commitments.values())
    on_rotations = (person for duty in asked.ctx.cell.duties for person in duty.people)
    named = tuple(dict.fromkeys(person for person in (ticket.assignee, *asked.ctx.cell.roles.values()) if person))
    if was_theirs or asked.is_by(*named, *on_rotations):
        return ()
    return asked.answer(NOT_YOURS_TO_EXPLAIN, people=names_of(named)) if named else asked.answer(NOBODY_TO_EXPLAIN)


def _urgent(asked: _Asked, ticket: Ticket) -> Blocks:
    if not asked.is_by(*ticket.reviewers):
        return asked.answer(NOT_YOURS_TO_HURRY, people=_reviewers(ticket))
    if _speaks("spillover", ticket, asked.ctx):
        return ()
    people = firefighters(asked.ctx, asked.ctx.cell.window(asked.ctx.now, asked.ctx.sprints))
    return asked.answer(NOT_AT_RISK, people=names_of(people)) if people else asked.answer(NOT_AT_RISK_ALONE)


def _plan(asked: _Asked, ticket: Ticket) -> Blocks:
    if not asked.is_by(*ticket.reviewers):
        return asked.answer(NOT_YOURS_TO_PLAN, people=_reviewers(ticket))
    return asked.answer(PLANNED, span=_span_in_words(asked.command.span))


def _unknown(asked: _Asked, _: Ticket) -> Blocks:
    return _listening(asked, WORDS)


def _listening(asked: _Asked, words: str) -> Blocks:
    word = asked.command.text
    return asked.answer(UNKNOWN + words, word=word) if word else asked.answer(NO_WORD + words)


def _reviewers(ticket: Ticket) -> str:
    return names_of(ticket.reviewers) or NO_REVIEWER


def _speaks(rule: str, ticket: Ticket, ctx: Context) -> bool:
    """Whether that rule has a comment of its own on the ticket, by the last line of what Crafty wrote there."""
    return any(is_ours(one, ctx.situation.bot) and f"Crafty, rule {rule}" in one.text for one in ticket.remarks)


def _span_in_words(span: timedelta) -> str:
    """The span of whole minutes, such as "1 hour 30 minutes"."""
    hours, minutes = divmod(span // timedelta(minutes=1), 60)
    parts = [f"{count} {unit}{'s' * (count != 1)}" for count, unit in ((hours, "hour"), (minutes, "minute")) if count]
    return " ".join(parts) or "no time"


_ANSWERS: Final[Mapping[Name, Callable[[_Asked, Ticket], Blocks]]] = {
    "help": _help,
    "why": _why,
    "snooze": _snooze,
    "accept": _accept,
    "spillover": _spillover,
    "urgent": _urgent,
    "plan": _plan,
    "unknown": _unknown,
}


# The forum


def _in_topic(contribution: Contribution, ctx: Context) -> Verdict:
    system, _, topic = contribution.key.partition(":")
    if system != "topic":
        return Verdict.passed("Crafty listens on tickets and in the forum")
    replies = [reply for answer in contribution.answers for reply in _replies(int(topic), answer, ctx)]
    left = [reply for reply in replies if not ctx.has_done(reply, NAME, contribution.key)]
    return Verdict.act("somebody spoke to Crafty in this topic", *left) if left else Verdict.passed(NOBODY_WAITS)


def _replies(topic: int, answer: Answer, ctx: Context) -> Iterator[Reply]:
    """The reply to a post that speaks to Crafty; none to what programs write."""
    is_crafty = answer.by is not None and answer.by.discourse in ctx.situation.bot
    if answer.is_bot or is_crafty or answer.at < ctx.now - ctx.params.look_back:
        return
    commands = {command.name: command for command in commands_in(answer.text, ctx.situation.bot)}
    everything = (_Asked(ctx, command, answer.by, answer.at) for command in commands.values())
    blocks = [block for asked in everything for block in _in_post(asked)]
    if blocks:
        message = signed(NAME, "this topic", *blocks, can_snooze=False)
        yield Reply(topic=topic, post=int(answer.id.removeprefix("post-")), occasion=answer.id, message=message)


def _in_post(asked: _Asked) -> Blocks:
    match asked.command.name:
        case "help":
            return asked.answer(HELP_IN_TOPIC)
        case "why":
            return _reasons(asked, "topic")
        case "unknown":
            return _listening(asked, WORDS_IN_TOPIC)
        case name:
            return asked.answer(ON_TICKETS, word=name)


_TICKETS_AND_TOPICS: Final[Any] = Ticket | Contribution

RULE = Rule(
    name=NAME,
    concerns=frozenset({CommentPosted, ContributionNoted, Due, TicketChanged}),
    params=Params,
    check=check,
    doc=__doc__,
    subject=_TICKETS_AND_TOPICS,
    can_snooze=False,
)
