"""A ticket that will not make its sprint is flagged in time, and one that did not is accounted for.

From the review deadline on, a ticket of the running sprint that is not in review yet bears a label; its assignee is
asked once whether help is needed, the firefighters get a list, and a question to the assignee that stays open for long
goes to the reviewers. When a sprint was closed, every ticket of it gets a line in the ledger; one that spilled over
bears a label, and its assignee is asked for the reason, which a `<spillover>` directive gives; of several the last one
counts, by the assignee, now or at the close, or whoever has a role in the cell. Sub-tasks and epics are no spillovers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from operator import itemgetter
from typing import Final

import msgspec
from pydantic import Field

from service.actions import ASKING, Action, AddLabel, Comment, Digest, EditComment, Notify, Record, RemoveLabel
from service.commands import Spoken, commands_in, is_ours, said_to_us
from service.commitments import Commitment
from service.events import CommentPosted, Due, TicketChanged
from service.facts import Person, Remark, Said, Sprint, Ticket, names_of
from service.rules._base import (
    LABEL,
    Case,
    Context,
    Rule,
    RuleParams,
    Verdict,
    absences,
    firefighters,
    joined,
    running_sprint,
    signed,
    wanted,
)
from service.texts import Paragraph, item, paragraph, small
from service.values import Duration, WorkingTime

NAME: Final = "spillover"


class Params(RuleParams):
    """What a cell can tune."""

    label: str = Field(
        "spillover", pattern=LABEL, description="The label of a ticket that was not ready when its sprint was closed."
    )
    risk_label: str = Field(
        "spillover-risk", pattern=LABEL, description="The label of a ticket that may not make its sprint."
    )
    silence: WorkingTime = Field(
        "48h",
        validate_default=True,
        description="How long a question to the assignee of such a ticket waits before the reviewers hear of it.",
    )
    look_back: Duration = Field(
        "14d",
        validate_default=True,
        description="How long after a sprint was closed its tickets are still accounted for.",
    )


AT_RISK = "{who}, could you ask for help here, or move this ticket to {refuge}? Either is fine. "
STATUS = "Its status is {status}; review was planned by {deadline}. "
HELP = "{firefighters} can help."
NO_FIREFIGHTER = "The team's channel can help."
NOT_AT_RISK = "This ticket is not at risk any more, so nothing is needed here. Thank you!"

LIST = (
    "{who}, could you see who might use a hand by {end}, when {sprint} ends? These tickets are not in review yet; "
    "their people were asked."
)
FOOTER = "Crafty, rule spillover."

IS_URGENT = (
    "{who}, is {ticket} urgent? If so, write “@crafty urgent” there, and the firefighters hear of it. {assignee} was "
    "asked something there on {asked} and may be busy elsewhere. If it can wait, nothing is needed."
)
URGENT = "{who}, could one of you help with {ticket}? {reviewer} says that it is urgent."
OPEN = " A question to {assignee} waits there since {asked}."

WHY = (
    "{who}, could you tell in a line what kept this ticket from being ready in {sprint}? Like this: “[~crafty]: "
    "<spillover>reason</spillover>”. It helps to plan the next one, and spilling over is nothing to worry about."
)
THANKS = "Thank you, {who}! The reason is noted for {sprint}."
COMES_FIRST = " This ticket comes first in {sprint}."

DIGEST_DELAY: Final = timedelta(minutes=10)
"""How long the list waits for the tickets that are looked at a little later."""

ONE_AT_A_TIME: Final = timedelta(minutes=10)
"""How long after the account of the last sprint the rule looks at what the running one needs."""

_AT_RISK: Final = f"{ASKING} review"


@dataclass(frozen=True)
class _Plan:
    """What is wanted, why, and when to look again."""

    reason: str
    actions: tuple[Action, ...] = ()
    again: datetime | None = None

    @property
    def has_comment(self) -> bool:
        return any(isinstance(action, Comment) for action in self.actions)


@dataclass(frozen=True)
class _Asked(Case):
    """A ticket at risk on which a question to its assignee waits for an answer."""

    assignee: Person
    question: Remark

    @property
    def due(self) -> datetime:
        """From when on the reviewers hear of it."""
        return self.window.calendar.add_working_time(
            self.question.at, self.ctx.params.silence, absences(self.assignee, self.window)
        )


@dataclass(frozen=True)
class _Account:
    """A ticket of a sprint that is closed.

    line: what the ledger is to say of it; recorded: what it says by now; told: the remark that the reason is from,
    where the ledger does not have it yet.
    """

    ticket: Ticket
    ctx: Context
    line: Commitment
    recorded: Commitment | None
    told: Spoken | None

    @property
    def occasion(self) -> str:
        return f"sprint-{self.line.sprint}"

    @property
    def asking(self) -> str:
        """The occasion of the question for the reason, on which the assignee has to act anew."""
        return f"{self.occasion}:reason"

    @property
    def standing(self) -> Said | None:
        """The rule's comment, where it speaks of that sprint: the question, or the warning that it was at risk."""
        said = self.ctx.said
        return said if said and said.occasion in {self.occasion, self.asking} else None


def check(ticket: Ticket, ctx: Context) -> Verdict:
    """Whether this ticket may spill over, or did, and what helps then."""
    if isinstance(ctx.event, CommentPosted) and not _is_told_to_us(ctx.event, ctx):
        return Verdict.passed("the comment tells this rule nothing")
    if ticket.is_subtask or ticket.kind.casefold() == "epic":
        return Verdict.passed("sub-tasks and epics are no spillovers")
    plan = _plan(ticket, ctx)
    verdict = wanted(NAME, ticket.key, ctx, plan.reason, *plan.actions, again=plan.again)
    return Verdict.wait(plan.reason) if verdict.outcome == "pass" and ctx.is_asking else verdict


def _is_told_to_us(event: CommentPosted, ctx: Context) -> bool:
    return any(command.name in {"spillover", "urgent"} for command in commands_in(event.text, ctx.situation.bot))


def _plan(ticket: Ticket, ctx: Context) -> _Plan:
    """The account of the sprint that was closed, and what the running one needs; one comment at a time."""
    closed = _closed_sprint(ticket, ctx)
    if closed is None:
        return _running(ticket, ctx)
    account = _accounted(_account(ticket, ctx, closed))
    if account.has_comment:
        actions = (*account.actions, *_without_risk_label(ticket, ctx))
        return _Plan(account.reason, actions, again=ctx.now + ONE_AT_A_TIME)
    running = _running(ticket, ctx)
    return _Plan(f"{account.reason}; {running.reason}", account.actions + running.actions, running.again)


# The sprint that was closed


def _closed_sprint(ticket: Ticket, ctx: Context) -> Sprint | None:
    """The last one that the ticket was in, where it was closed lately or has its line in the ledger already."""
    opened_again = {sprint.id for sprint in ticket.sprints if sprint.state == "active"}
    ended = [
        (sprint.completed_at, sprint)
        for sprint in ticket.sprints
        if sprint.completed_at and _is_ours(sprint, ctx) and sprint.id not in opened_again
    ]
    if not ended:
        return None
    at, latest = max(ended, key=itemgetter(0))
    is_known = latest.id in ctx.situation.commitments
    return latest if is_known or ctx.now - at <= ctx.params.look_back else None


def _is_ours(sprint: Sprint, ctx: Context) -> bool:
    return sprint.state == "closed" and (sprint.board is None or ctx.cell.board in {None, sprint.board})


def _account(ticket: Ticket, ctx: Context, closed: Sprint) -> _Account:
    recorded = ctx.situation.commitments.get(closed.id)
    line = recorded or _line(ticket, ctx, closed)
    told = _last_reason(ticket, ctx, closed, line) if line.is_spillover else None
    if told is None or (line.reason, line.reason_at) == (told.command.text, told.remark.at):
        return _Account(ticket, ctx, line, recorded, None)
    author, at = told.remark.author, told.remark.at
    line = msgspec.structs.replace(
        line, reason=told.command.text, reason_by=author.name if author else "", reason_at=at
    )
    return _Account(ticket, ctx, line, recorded, told)


def _line(ticket: Ticket, ctx: Context, closed: Sprint) -> Commitment:
    """The ledger's line of a ticket that was in this sprint, without a reason."""
    at = closed.completed_at or ctx.now
    status, assignee, reporter = _status_at(ticket, at), ticket.assignee, ticket.reporter
    names = ctx.cell.statuses
    return Commitment(
        ticket=ticket.key,
        summary=ticket.summary,
        url=ticket.url,
        cell=ctx.cell.name,
        sprint=closed.id,
        sprint_name=closed.name,
        closed_at=at,
        status=status,
        is_spillover=status.casefold() in names.backlog | names.in_progress | names.need_review | names.merged,
        assignee=assignee.name if assignee else "",
        assignee_id=assignee.id if assignee else "",
        reviewers=tuple(reviewer.name for reviewer in ticket.reviewers),
        reporter=reporter.name if reporter else "",
        story_points=ticket.estimate,
        original_estimate=ticket.original_estimate,
        remaining_estimate=ticket.remaining_estimate,
    )


def _status_at(ticket: Ticket, at: datetime) -> str:
    """The status that the ticket had then, a change at that very moment included."""
    later = next((change.before for change in ticket.status_changes if change.at > at), None)
    return ticket.status if later is None else later


def _last_reason(ticket: Ticket, ctx: Context, closed: Sprint, line: Commitment) -> Spoken | None:
    """The last reason that was given for this sprint, where it is another one than the ledger may keep.

    What explains another sprint does not explain this one, and what is said once the next sprint's review deadline has
    passed speaks of that one, where this one has its reason already.
    """
    since = line.reason_at or closed.start
    others = {one.reason_at for sprint, one in ctx.situation.commitments.items() if sprint != closed.id}
    until = ctx.cell.window(ctx.now, ctx.sprints).review_deadline if line.reason and ticket.running_sprint else None
    given = [
        one
        for one in said_to_us(ticket.remarks, ctx.situation.bot)
        if one.command.name == "spillover"
        and one.command.text
        and (since is None or one.remark.at >= since)
        and (until is None or one.remark.at < until)
        and one.remark.at not in others
        and _may_explain(one.remark.author, line, ticket, ctx)
    ]
    return given[-1] if given else None


def _may_explain(author: Person | None, line: Commitment, ticket: Ticket, ctx: Context) -> bool:
    """Whether that is the assignee, now or at the close, or somebody with a role or on a rotation of the cell."""
    if author is None:
        return False
    on_rotations = (person for duty in ctx.cell.duties for person in duty.people)
    known = (ticket.assignee, *ctx.cell.roles.values(), *on_rotations)
    return line.is_of(author) or any(author.is_same(person) for person in known)


def _accounted(account: _Account) -> _Plan:
    line = account.line
    outcome = "spilled over from" if line.is_spillover else "was ready in"
    reason = f"{line.ticket} {outcome} {line.sprint_name}: it was {line.status} when that was closed"
    return _Plan(reason, (*_record(account), *(_spilled(account) if line.is_spillover else ())))


def _record(account: _Account) -> Iterator[Record]:
    if account.told:
        yield Record(occasion=f"{account.occasion}:{_mark(account.told)}", line=account.line)
    elif account.recorded is None:
        yield Record(occasion=account.occasion, line=account.line)


def _mark(told: Spoken) -> str:
    """Tells a remark with its reason from others, and from the same remark before somebody edited it."""
    return f"{told.remark.id}-{sha256(told.command.text.encode()).hexdigest()[:8]}"


def _spilled(account: _Account) -> Iterator[Action]:
    ticket, ctx = account.ticket, account.ctx
    if account.recorded is None and ctx.params.label not in ticket.labels:
        yield AddLabel(ticket=ticket.key, occasion=account.occasion, label=ctx.params.label)
    yield from (comment for comment in _comment(account) if not ctx.has_done(comment, NAME, ticket.key))


def _comment(account: _Account) -> Iterator[Comment]:
    """Asks for the reason, or thanks for it; where no comment speaks of that sprint, nobody is thanked."""
    said, key, line = account.standing, account.ticket.key, account.line
    first = _comes_first(account)
    state = f"reason{', first in the next' if first else ''}"
    if line.reason and said:
        text = joined(paragraph(THANKS, who=line.reason_by, sprint=line.sprint_name), *first)
        yield EditComment(ticket=key, occasion=said.occasion, state=state, message=signed(NAME, key, text))
    elif not line.reason and (account.ctx.said_in(account.asking) or account.recorded is None):
        text = joined(paragraph(WHY, who=_addressee(account.ticket), sprint=line.sprint_name), *first)
        message = signed(NAME, key, text)
        yield Comment(ticket=key, occasion=account.asking, state=f"{ASKING} {state}", message=message)


def _comes_first(account: _Account) -> tuple[Paragraph, ...]:
    """A sentence for a ticket that goes on in the running sprint or the next one."""
    following = account.ctx.sprints.next
    sprint = account.ticket.running_sprint or (following if account.ticket.is_in(following) else None)
    return (paragraph(COMES_FIRST, sprint=sprint.name),) if sprint else ()


def _addressee(ticket: Ticket) -> Person | str:
    return ticket.assignee or ticket.responsible or "Hello"


# The sprint that runs


def _running(ticket: Ticket, ctx: Context) -> _Plan:
    sprint, statuses = running_sprint(ticket, ctx), ctx.cell.statuses
    if sprint is None:
        return _safe(ticket, ctx, "it is not in the cell's running sprint")
    if ticket.status.casefold() not in statuses.backlog | statuses.in_progress:
        return _safe(ticket, ctx, f"{ticket.status} is no risk for {sprint.name}")
    case = Case(ticket, ctx, sprint, ctx.cell.window(ctx.now, ctx.sprints))
    deadline = case.window.review_deadline
    if ctx.now < deadline:
        return _safe(ticket, ctx, f"it is {ticket.status}, with time enough until the review deadline", again=deadline)
    return _at_risk(case)


def _safe(ticket: Ticket, ctx: Context, reason: str, again: datetime | None = None) -> _Plan:
    actions: list[Action] = [*_without_risk_label(ticket, ctx)]
    if ctx.said and ctx.said.state == _AT_RISK:
        text = signed(NAME, ticket.key, paragraph(NOT_AT_RISK))
        actions.append(EditComment(ticket=ticket.key, occasion=ctx.said.occasion, state="not at risk", message=text))
    return _Plan(reason, tuple(actions), again)


def _without_risk_label(ticket: Ticket, ctx: Context) -> Iterator[RemoveLabel]:
    if ctx.params.risk_label in ticket.labels:
        occasion = _turn(ctx, is_new=ctx.said is not None and ctx.said.state == _AT_RISK)
        yield RemoveLabel(ticket=ticket.key, occasion=occasion, label=ctx.params.risk_label)


def _turn(ctx: Context, *, is_new: bool) -> str:
    """Tells each change of the label from the one before, as its comment's turns do; is_new: the comment turns now."""
    return f"{ctx.said.occasion}:{ctx.said.turns + is_new}" if ctx.said else ""


def _at_risk(case: Case) -> _Plan:
    ticket = case.ticket
    reason = f"{ticket.key} is {ticket.status} after the review deadline of {case.sprint.name}"
    flagged = () if case.ctx.said_in(case.occasion, _AT_RISK) else tuple(_flagged(case))
    asked = _asked(case)
    more = _silence(asked) if asked else _called(case)
    return _Plan(f"{reason}; {more.reason}", flagged + more.actions, more.again) if more else _Plan(reason, flagged)


def _flagged(case: Case) -> Iterator[Action]:
    """The label and the comment; a ticket that comes back from review is told of in no second list."""
    key, label, is_back = case.ticket.key, case.ctx.params.risk_label, case.ctx.said_in(case.occasion)
    if label not in case.ticket.labels:
        occasion = _turn(case.ctx, is_new=True) if is_back else f"{case.occasion}:0"
        yield AddLabel(ticket=key, occasion=occasion, label=label)
    yield Comment(ticket=key, occasion=case.occasion, state=_AT_RISK, message=signed(NAME, key, _two_ways_out(case)))
    if not is_back:
        yield from _digests(case)


def _two_ways_out(case: Case) -> Paragraph:
    helpers, deadline = firefighters(case.ctx, case.window), case.moment(case.window.review_deadline)
    return joined(
        paragraph(AT_RISK, who=_addressee(case.ticket), refuge=_refuge(case)),
        paragraph(STATUS, status=case.ticket.status, deadline=deadline),
        paragraph(HELP, firefighters=names_of(helpers)) if helpers else paragraph(NO_FIREFIGHTER),
    )


def _refuge(case: Case) -> str:
    """Where the ticket may go instead, of what there is."""
    places = (case.ctx.sprints.next, case.ctx.sprints.stretch_goals)
    return " or ".join(place.name for place in places if place) or "the backlog"


def _digests(case: Case) -> Iterator[Digest]:
    line = item(
        "{ticket}: {who}, {status}",
        ticket=case.link,
        who=case.ticket.assignee.name if case.ticket.assignee else "nobody",
        status=case.ticket.status,
    )
    for person in firefighters(case.ctx, case.window):
        yield Digest(
            person=person,
            occasion=f"{case.occasion}:list",
            intro=paragraph(LIST, who=person, end=case.moment(case.window.end), sprint=case.sprint.name),
            line=line,
            footer=small(FOOTER),
            at=case.ctx.now + DIGEST_DELAY,
        )


def _asked(case: Case) -> _Asked | None:
    """The last question to the assignee in this sprint, where they did nothing on the ticket since."""
    ticket, assignee = case.ticket, case.ticket.assignee
    if assignee is None:
        return None
    questions = [one for one in ticket.remarks if _is_question(one, assignee, case.ctx)]
    if not questions or questions[-1].at < case.window.start:
        return None
    if _has_acted_since(questions[-1].at, ticket):
        return None
    return _Asked(ticket, case.ctx, case.sprint, case.window, assignee, questions[-1])


def _has_acted_since(at: datetime, ticket: Ticket) -> bool:
    """Whether the assignee did anything on the ticket after that instant."""
    wrote = [one.author for one in ticket.remarks if one.at > at]
    moved = [one.by for one in ticket.status_changes if one.at > at]
    return any(one and one.is_same(ticket.assignee) for one in wrote + moved)


def _is_question(remark: Remark, assignee: Person, ctx: Context) -> bool:
    if remark.author is None or remark.author.is_same(assignee) or is_ours(remark, ctx.situation.bot):
        return False
    return bool(assignee.jira_ids.intersection(remark.mentions))


def _silence(case: _Asked) -> _Plan:
    call = next(_calls_since(case.question.at, case), None)
    if call:
        open_since = paragraph(OPEN, assignee=case.assignee.name, asked=case.moment(case.question.at))
        return _alarm(case, call, open_since)
    if case.ctx.now < case.due:
        return _Plan(f"a question to {case.assignee.name} waits for an answer", again=case.due)
    return _Plan(f"{case.assignee.name} has not answered a question yet", tuple(_ask_reviewers(case)))


def _called(case: Case) -> _Plan | None:
    """Help for what a reviewer calls urgent though no question waits, unless the assignee did something since."""
    calls = _calls_since(case.window.review_deadline, case)
    call = next((one for one in calls if not _has_acted_since(one.at, case.ticket)), None)
    return _alarm(case, call) if call else None


def _calls_since(at: datetime, case: Case) -> Iterator[Remark]:
    """What reviewers wrote from that instant on to say that it is urgent."""
    for said in said_to_us(case.ticket.remarks, case.ctx.situation.bot):
        is_reviewer = any(who.is_same(said.remark.author) for who in case.ticket.reviewers)
        if said.command.name == "urgent" and said.remark.at >= at and is_reviewer:
            yield said.remark


def _alarm(case: Case, call: Remark, *more: Paragraph) -> _Plan:
    """The firefighters hear of each call once, whoever is the assignee by then."""
    reviewer = call.author.name if call.author else ""
    return _Plan(f"{reviewer} says that it is urgent", tuple(_tell_firefighters(case, reviewer, call, *more)))


def _ask_reviewers(case: _Asked) -> Iterator[Notify]:
    asked = case.moment(case.question.at)
    for person in case.ticket.reviewers:
        text = paragraph(IS_URGENT, who=person, ticket=case.link, assignee=case.assignee.name, asked=asked)
        message = signed(NAME, case.ticket.key, text)
        yield Notify(person=person, occasion=f"{case.occasion}:silence-{case.question.id}", message=message)


def _tell_firefighters(case: Case, reviewer: str, call: Remark, *more: Paragraph) -> Iterator[Notify]:
    for person in firefighters(case.ctx, case.window):
        text = joined(paragraph(URGENT, who=person, ticket=case.link, reviewer=reviewer), *more)
        message = signed(NAME, case.ticket.key, text)
        yield Notify(person=person, occasion=f"{case.occasion}:urgent-{call.id}", message=message)


RULE = Rule(
    name=NAME,
    concerns=frozenset({TicketChanged, CommentPosted, Due}),
    params=Params,
    check=check,
    doc=__doc__,
)
