"""Whoever offers something from outside gets an answer within a working day.

Looks at pull requests, merge requests, issues, forum topics and tickets that the cell watches; those of members and
bots are left alone, and a draft waits until it is ready. Each gets an internal ticket with a link to it, and the
community liaison is told at once and reminded half way. The first answer of a member ends it, and so does closing; when
the promised time passes without one, the liaison and the firefighters are asked in the cell's channel. Weekends and
holidays do not count unless the cell says so. How long answers take is kept for the statistics.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from pydantic import Field

from service.actions import ASKING, Action, Comment, CreateTicket, EditComment, Link, Notify, Record
from service.contributions import Acknowledgement, Answer, Contribution
from service.events import CommentPosted, ContributionNoted, Due, TicketChanged
from service.facts import Person
from service.rules._base import LABEL, Context, Rule, RuleParams, Verdict, firefighters, signed, wanted
from service.texts import Link as TextLink
from service.texts import Message, Moment, Paragraph, in_words, paragraph, small, to_plain
from service.values import WorkingTime

NAME: Final = "community-ack"


class Params(RuleParams):
    """What a cell can tune."""

    reminder: WorkingTime = Field(
        "12h", validate_default=True, description="How long a contribution waits before the liaison is reminded."
    )
    promise: WorkingTime = Field(
        "24h", validate_default=True, description="Within what time a contribution is to be answered."
    )
    look_back: WorkingTime = Field(
        "72h",
        validate_default=True,
        description="How long past the promised time a contribution that is new to Crafty is still taken up.",
    )
    count_weekends: bool = Field(False, description="Whether weekends and holidays count as well.")
    project: str = Field(
        "", description="The key of the project that internal tickets are made in; the cell's first one when left out."
    )
    issue_type: str = Field("Task", description="The type of the internal tickets.")
    epic: str = Field("", description="The key of the epic that internal tickets belong to; none when left out.")
    labels: tuple[Annotated[str, Field(pattern=LABEL)], ...] = Field(
        ("community",), strict=False, description="What the internal tickets are labelled, without blanks."
    )
    due_days: int = Field(14, ge=0, le=365, description="How many days after the opening an internal ticket is due.")
    member_groups: tuple[str, ...] = Field(
        (), strict=False, description="The groups of the forum or a code host whose people count as members."
    )
    bots: tuple[str, ...] = Field(
        ("dependabot", "renovate", "pre-commit-ci", "github-actions", "discobot", "system"),
        strict=False,
        description="The accounts that are no humans, where their site does not say so itself.",
    )


NEW = (
    "{who}, could you answer {author}? Their {kind} {contribution} is new, and the team hopes to answer by {due}. A "
    "few kind words are enough for now."
)
REMIND = (
    "{who}, could you answer {author}, or find somebody who can? {contribution} has waited since {since}, and the team "
    "hopes to answer by {due}. A few kind words are enough for now."
)
ESCALATE = (
    "{who}, could somebody answer {author}? {contribution} has waited since {since}, longer than the team hopes for. A "
    "few kind words are enough for now."
)
FOOTER = "Crafty, rule community-ack. Anyone in the team can answer, on {place}."

SUMMARY = "Community {kind}: {title}"
FOLLOW_UP = "{who}, could you see that the {kind} {contribution} gets its answer? {author} has waited since {since}."
HOW = (
    "The team hopes to answer by {due}; a few kind words are enough for now. Should it not suit you, somebody else can "
    "be the assignee."
)

ANSWERED = "{member} answered {contribution} after {span}. Thank you! What is left to do about it can be noted here."
NOT_NEEDED = "{contribution} needs no answer for now. Thank you!"
CLOSED = "{contribution} was closed, so its answer is not needed any more. Thank you!"

NOBODY: Final = "Hello"
STRANGER: Final = "Somebody"
COLLEAGUE: Final = "A colleague"

SUMMARY_LIMIT: Final = 255
"""Characters; Jira refuses a longer summary."""

_COMMENT: Final = "answer"
_ASKED: Final = f"{ASKING} answer"


@dataclass(frozen=True)
class _Case:
    """A contribution at one moment."""

    contribution: Contribution
    ctx: Context

    @property
    def author(self) -> str:
        """Only by name: whoever wrote to us is not drawn into what we say among ourselves."""
        return self.contribution.author.name if self.contribution.author else STRANGER

    @property
    def link(self) -> TextLink:
        return TextLink(self.contribution.title, self.contribution.url)

    @property
    def remind_at(self) -> datetime:
        return self.after(self.ctx.params.reminder)

    @property
    def due(self) -> datetime:
        return self.after(self.ctx.params.promise)

    @property
    def is_too_old(self) -> bool:
        """Whether it waited for long before it was first seen: a new installation does not dig up the past."""
        is_new = not self.ctx.situation.done and self.contribution.ticket is None
        return is_new and self.ctx.now > self.after(self.ctx.params.promise + self.ctx.params.look_back)

    @property
    def answer(self) -> Answer | None:
        """The first one by a member since it waits, unless it was closed before."""
        closed_at, since = self.contribution.closed_at, self.contribution.waiting_since
        in_time = (
            one for one in self.contribution.answers if since <= one.at and (not closed_at or one.at <= closed_at)
        )
        return next((one for one in in_time if _counts(one, self)), None)

    @property
    def helper(self) -> Person | None:
        """The firefighter who gets the internal ticket."""
        return next((one for one in self.firefighters(self.ctx.now) if one.jira), None)

    def firefighters(self, at: datetime) -> tuple[Person, ...]:
        """Who is on duty at that instant and works on that day."""
        on_duty = firefighters(msgspec.structs.replace(self.ctx, now=at), self.ctx.cell.window(at, self.ctx.sprints))
        return tuple(one for one in on_duty if self.works(one, at))

    def liaison(self, at: datetime) -> Person | None:
        """Whom contributions concern first; the sprint planning manager where the liaison is off on that day."""
        holders = (self.ctx.cell.roles.get(role) for role in ("community_liaison", "sprint_planning_manager"))
        return next((one for one in holders if one and self.works(one, at)), None)

    def works(self, person: Person, at: datetime) -> bool:
        today = self.ctx.cell.calendar.local(at).date()
        return not person.is_away_from(today, today)

    def after(self, span: timedelta) -> datetime:
        """When it has waited for that long."""
        since = self.contribution.waiting_since
        return since + span if self.ctx.params.count_weekends else self.ctx.cell.calendar.add_working_time(since, span)

    def waited_until(self, at: datetime) -> timedelta:
        """How long it had waited at that instant, as the promise counts it."""
        since = self.contribution.waiting_since
        return at - since if self.ctx.params.count_weekends else self.ctx.cell.calendar.working_time_between(since, at)

    def moment(self, at: datetime) -> Moment:
        return Moment(at, self.ctx.cell.calendar.zone.key)

    def wanted(self, reason: str, *actions: Action, again: datetime | None = None) -> Verdict:
        return wanted(
            NAME, self.contribution.key, self.ctx, f"the {self.contribution.kind} {reason}", *actions, again=again
        )


def check(contribution: Contribution, ctx: Context) -> Verdict:
    """Whether this contribution was answered, and whom to tell where it was not."""
    case = _Case(contribution, ctx)
    reason = _needs_none(case)
    if reason:
        return _let_be(case, reason)
    answer = case.answer
    if answer:
        return _answered(case, answer)
    if ctx.has_done(_record(case, "answered"), NAME, contribution.key):
        return Verdict.passed("it was answered before, and stays so")
    return _closed(case, contribution.closed_at) if contribution.closed_at else _unanswered(case)


def _needs_none(case: _Case) -> str | None:
    """Why nobody waits for an answer; None where somebody does."""
    contribution, ctx = case.contribution, case.ctx
    if _is_bot(contribution.author, contribution, ctx):
        return "its author is a bot"
    if _is_member(contribution.author, contribution, ctx):
        return "its author is a member"
    if contribution.is_draft:
        return "it is a draft: its clock starts when it is ready"
    return "it had waited for long when Crafty saw it first, so it is let be" if case.is_too_old else None


def _let_be(case: _Case, reason: str) -> Verdict:
    """Nobody waits: a comment that still asks is edited to say so."""
    if not case.ctx.is_asking:
        return Verdict.passed(reason)
    text = paragraph(NOT_NEEDED, contribution=case.link)
    return case.wanted(f"needs no answer: {reason}", *_comment(case, "withdrawn", text))


def _counts(answer: Answer, case: _Case) -> bool:
    is_author = answer.by is not None and answer.by.is_same(case.contribution.author)
    return not is_author and _is_member(answer.by, answer, case.ctx) and not _is_bot(answer.by, answer, case.ctx)


def _is_member(person: Person | None, source: Contribution | Answer, ctx: Context) -> bool:
    is_known = person is not None and person.is_member
    return is_known or source.is_member or bool(_folded(source.groups) & _folded(ctx.params.member_groups))


def _is_bot(person: Person | None, source: Contribution | Answer, ctx: Context) -> bool:
    """GitHub writes "dependabot[bot]" in payloads, and "dependabot" where people read it."""
    accounts = _folded(account for _, account in person.accounts) if person else set()
    return source.is_bot or bool(accounts & _folded((*ctx.params.bots, *ctx.situation.bot)))


def _folded(names: Iterable[str]) -> set[str]:
    return {name.casefold().removesuffix("[bot]") for name in names}


def _answered(case: _Case, answer: Answer) -> Verdict:
    member, took = answer.by.name if answer.by else COLLEAGUE, case.waited_until(answer.at)
    is_missed = answer.at > case.due
    span = _span(took, "day" if case.ctx.params.count_weekends else "working day")
    record = _record(case, "answered", answered_at=answer.at, answered_by=member, took=took, is_missed=is_missed)
    text = paragraph(ANSWERED, member=member, contribution=case.link, span=span)
    return case.wanted(
        f"was answered by {member} after {span}", record, *_link(case), *_comment(case, "answered", text)
    )


def _span(took: timedelta, day: str) -> str:
    """The time in words, by its two largest units: "1 working day and 2 hours". day: what 24 hours are called."""
    hours, minutes = divmod(int(took.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    units = ((days, day), (hours, "hour"), (0 if days else minutes, "minute"))
    parts = [f"{count} {unit}{'s' if count > 1 else ''}" for count, unit in units if count]
    return " and ".join(parts) or "less than a minute"


def _closed(case: _Case, closed_at: datetime) -> Verdict:
    record = _record(case, "closed", closed=True, is_missed=closed_at > case.due)
    edit = _comment(case, "closed", paragraph(CLOSED, contribution=case.link)) if case.ctx.said else ()
    return case.wanted("was closed without an answer", record, *edit)


def _unanswered(case: _Case) -> Verdict:
    zone = case.ctx.cell.calendar.zone.key
    reason = f"waits for an answer, promised by {in_words(case.due, zone)}"
    if case.ctx.now >= case.due:
        return case.wanted(f"{reason}, which is past", *_handed_over(case), *_escalated(case))
    if case.ctx.now >= case.remind_at:
        return case.wanted(reason, *_handed_over(case), *_reminded(case), again=case.due)
    return case.wanted(reason, *_handed_over(case), *_announced(case), again=min(case.remind_at, case.due))


def _handed_over(case: _Case) -> Iterator[Action]:
    """The internal ticket, and the link on it as soon as its key is known."""
    if case.contribution.ticket is None:
        yield _ticket(case)
    yield from _link(case)


def _link(case: _Case) -> Iterator[Link]:
    contribution = case.contribution
    if contribution.ticket:
        title, mark = _line_of("{title}", title=contribution.title), f"crafty={contribution.key}"
        yield Link(ticket=contribution.ticket, url=contribution.url, title=title, global_id=mark)


def _ticket(case: _Case) -> CreateTicket:
    contribution, params = case.contribution, case.ctx.params
    since = case.ctx.cell.calendar.local(contribution.waiting_since).date()
    return CreateTicket(
        project=params.project or case.ctx.cell.projects[0],
        issue_type=params.issue_type,
        summary=_line_of(SUMMARY, kind=contribution.kind, title=contribution.title)[:SUMMARY_LIMIT],
        message=_task(case),
        due=since + timedelta(days=params.due_days),
        epic=params.epic or None,
        assignee=case.helper,
        labels=params.labels,
    )


def _line_of(template: str, **values: str) -> str:
    """Text from outside as one plain line, where nothing but plain text fits."""
    return to_plain(Message((paragraph(template, **values),)))


def _task(case: _Case) -> Message:
    who, kind, since = case.helper or NOBODY, case.contribution.kind, case.moment(case.contribution.waiting_since)
    ask = paragraph(FOLLOW_UP, who=who, contribution=case.link, author=case.author, kind=kind, since=since)
    return _footed(case, ask, paragraph(HOW, due=case.moment(case.due)))


def _announced(case: _Case) -> Iterator[Notify]:
    person, kind = case.liaison(case.contribution.waiting_since), case.contribution.kind
    who, due = person or NOBODY, case.moment(case.due)
    news = paragraph(NEW, who=who, contribution=case.link, author=case.author, kind=kind, due=due)
    yield from _told(case, "opened", person, news)


def _reminded(case: _Case) -> Iterator[Notify]:
    person, since = case.liaison(case.remind_at), case.moment(case.contribution.waiting_since)
    who, due = person or NOBODY, case.moment(case.due)
    reminder = paragraph(REMIND, who=who, contribution=case.link, author=case.author, since=since, due=due)
    yield from _told(case, "reminder", person, reminder)


def _escalated(case: _Case) -> Iterator[Action]:
    """What comes when the promised time is over; without a channel each of those concerned is told alone."""
    people = {one.id: one for one in (case.liaison(case.due), *case.firefighters(case.due)) if one}
    who = tuple(people.values())
    yield _record(case, "missed", is_missed=True)
    if case.ctx.cell.channel:
        yield from _told(case, "missed", None, _plea(case, who))
    else:
        for one in who:
            yield from _told(case, "missed", one, _plea(case, (one,)))
    yield from _comment(case, _ASKED, _plea(case, who))


def _plea(case: _Case, who: tuple[Person, ...]) -> Paragraph:
    since = case.moment(case.contribution.waiting_since)
    return paragraph(ESCALATE, who=who or NOBODY, contribution=case.link, author=case.author, since=since)


def _told(case: _Case, occasion: str, person: Person | None, text: Paragraph) -> Iterator[Notify]:
    """One message: to that person, or to the cell's channel where there is nobody."""
    channel = None if person else case.ctx.cell.channel
    if person or channel:
        yield Notify(person=person, channel=channel, occasion=occasion, message=_footed(case, text))


def _comment(case: _Case, state: str, text: Paragraph) -> Iterator[Comment]:
    """What the internal ticket says of the answer, from when its key is known; good news only edits what stands."""
    ticket = case.contribution.ticket
    if ticket:
        kind = EditComment if case.ctx.said and state != _ASKED else Comment
        message = signed(NAME, ticket, text, can_snooze=False)
        yield kind(ticket=ticket, occasion=_COMMENT, state=state, message=message)


def _footed(case: _Case, *blocks: Paragraph) -> Message:
    """A message that ends with the place where the answer belongs."""
    place = TextLink(f"the {case.contribution.kind}", case.contribution.url)
    return Message((*blocks, small(FOOTER, place=place)))


def _record(case: _Case, occasion: str, **outcome: Any) -> Record:
    contribution = case.contribution
    line = Acknowledgement(
        contribution=contribution.key,
        cell=case.ctx.cell.name,
        title=contribution.title,
        url=contribution.url,
        waiting_since=contribution.waiting_since,
        **outcome,
    )
    return Record(occasion=occasion, line=line)


RULE = Rule(
    name=NAME,
    concerns=frozenset({TicketChanged, CommentPosted, ContributionNoted, Due}),
    params=Params,
    check=check,
    doc=__doc__,
    subject=Contribution,
    can_snooze=False,
)
