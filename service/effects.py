"""Does one action, through one client, so that doing it again does nothing.

What is done again after a crash finds what stands there already: a comment by its property, a field by its value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, Protocol

import structlog

from service.actions import (
    Action,
    AddLabel,
    Assign,
    Comment,
    CreateTicket,
    Digest,
    EditComment,
    Link,
    MoveToBacklog,
    MoveToSprint,
    Notify,
    RankTop,
    Record,
    RemoveLabel,
    Reply,
    SetReviewer,
    Warn,
)
from service.config import VIA
from service.contributions import Note
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Person
from service.jira_shapes import FieldMap
from service.ledger import Case, Contributed, Ledger
from service.texts import Checklist, Item, Message

log = structlog.get_logger()

SEARCH_LAGS: Final = 60
"""Seconds after which Jira's search finds a ticket that was made; the Cloud promises none, and takes some."""


class JiraWriter(Protocol):
    """What is written to Jira. Each method raises NotFound, TryLater or CannotAct."""

    fields: FieldMap

    async def find_comment(self, ticket: str, key: str) -> str | None: ...
    async def add_comment(self, ticket: str, message: Message, key: str) -> str: ...
    async def edit_comment(self, ticket: str, comment_id: str, message: Message) -> None: ...
    async def assign(self, ticket: str, person: Person | None) -> None: ...
    async def set_user_field(self, ticket: str, field_id: str, person: Person) -> None: ...
    async def move_to_sprint(self, sprint: int, keys: Sequence[str]) -> None: ...
    async def move_to_backlog(self, keys: Sequence[str]) -> None: ...
    async def rank_first(self, key: str, before_key: str) -> None: ...
    async def first_of_sprint(self, sprint: int) -> str | None: ...
    async def edit_labels(self, ticket: str, add: Sequence[str], remove: Sequence[str]) -> None: ...
    async def find_by_label(self, project: str, label: str) -> str | None: ...
    async def create_ticket(
        self,
        project: str,
        issue_type: str,
        summary: str,
        message: Message,
        *,
        due: date,
        epic: str | None,
        assignee: Person | None,
        labels: Sequence[str],
    ) -> str: ...
    async def add_remote_link(self, ticket: str, url: str, title: str, global_id: str) -> None: ...


class Chat(Protocol):
    """Where messages go. key: what a message bears; is_retry: whether one with that key may stand there already."""

    async def direct_message(
        self, username: str, message: Message, zone: str | None = None, *, key: str, is_retry: bool = False
    ) -> str: ...
    async def post(self, channel: str, message: Message, *, key: str, is_retry: bool = False) -> str: ...


class Elsewhere(Protocol):
    """Where messages go that the chat does not take. `of`: the name of what takes a person's; None for the chat."""

    def of(self, person: Person) -> str | None: ...
    async def send(self, name: str, message: Message, zone: str | None = None) -> None: ...


class Forum(Protocol):
    """Where topics are answered."""

    async def reply(
        self, topic: int, message: Message, zone: str | None = None, *, post: int | None = None, is_retry: bool = False
    ) -> int | None: ...


@dataclass(frozen=True)
class Done:
    """What became of an action.

    case: what the rule's comment says from now on, where the action was a comment; noted: what is newly known of the
    contribution that it was about.
    """

    result: Literal["done", "skipped"]
    reason: str
    case: Case | None = None
    noted: Contributed | None = None


@dataclass(frozen=True)
class Order:
    """An action with what it is known by.

    now: the moment it is done at; is_retry: whether it was started before and may have happened.
    """

    action: Action
    key: str
    rule: str
    subject: str
    now: datetime
    is_retry: bool = False


class Effects:
    """Does actions. None for a system that is not configured."""

    def __init__(
        self,
        jira: JiraWriter | None,
        chat: Chat | None,
        forum: Forum | None,
        ledger: Ledger,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._jira_writer = jira
        self._chat = chat
        self._forum = forum
        self._ledger = ledger
        self._elsewhere = elsewhere

    async def do(self, order: Order) -> Done:
        """Does it; raises NotFound where its target is gone, TryLater, or CannotAct."""
        doers: Mapping[type, Callable[[Any, Order], Awaitable[Done]]] = {
            Notify: self._notify,
            Reply: self._reply,
            Assign: self._assign,
            SetReviewer: self._set_reviewer,
            MoveToSprint: self._move_to_sprint,
            MoveToBacklog: self._move_to_backlog,
            RankTop: self._rank_top,
            AddLabel: self._add_label,
            RemoveLabel: self._remove_label,
            CreateTicket: self._create_ticket,
            Link: self._link,
            Record: self._record,
            Warn: self._warn,
        }
        if isinstance(order.action, Comment):
            return await self._comment(order.action, order)
        if type(order.action) not in doers:
            raise CannotAct(f"{order.action.kind} is no single effect")
        return await doers[type(order.action)](order.action, order)

    async def send(self, digest: Digest, lines: Sequence[Item], key: str, *, is_retry: bool) -> Done:
        """Sends these lines of a digest as one chat message; key and is_retry as in an order."""
        message = Message((digest.intro, Checklist(tuple(lines)), digest.footer))
        return await self._tell_person(digest.person, message, key, is_retry)

    @property
    def _jira(self) -> JiraWriter:
        if self._jira_writer is None:
            raise CannotAct("Jira is not configured; set CRAFTY_JIRA_URL and CRAFTY_JIRA_TOKEN")
        return self._jira_writer

    async def _fields(self) -> FieldMap:
        """Which field is which in Jira, also where this process has read nothing there yet."""
        site, _ = await self._ledger.site()
        if site is not None:
            self._jira.fields = site.fields
        return self._jira.fields

    async def _comment(self, action: Comment, order: Order) -> Done:
        case = await self._ledger.case(order.rule, order.subject)
        stands = case if case and case.occasion == action.occasion else None
        if stands and stands.state == action.state:
            return Done("skipped", "the comment says so already")
        comment = stands.comment if stands else await self._jira.find_comment(action.ticket, order.key)
        if comment is None and isinstance(action, EditComment):
            return Done("skipped", "there is no comment to edit")
        written, reason = await self._write(action, comment, order.key)
        return Done("done", reason, _case_after(action, order, written, stands))

    async def _write(self, action: Comment, comment: str | None, key: str) -> tuple[str, str]:
        """Writes or edits; the comment's id, and what was done. A comment that people deleted is not written again."""
        if comment is None:
            return await self._jira.add_comment(action.ticket, action.message, key), f"commented on {action.ticket}"
        try:
            await self._jira.edit_comment(action.ticket, comment, action.message)
        except NotFound:
            return comment, f"somebody deleted the comment on {action.ticket}, and it stays so"
        return comment, f"edited the comment on {action.ticket}"

    async def _notify(self, action: Notify, order: Order) -> Done:
        if action.person:
            return await self._tell_person(action.person, action.message, order.key, order.is_retry)
        if action.channel and action.channel.startswith(VIA):
            await self._send(action.channel.removeprefix(VIA), action.message)
            return Done("done", f"posted in {action.channel}")
        if self._chat is None:
            return Done("skipped", "no chat is configured")
        await self._chat.post(action.channel or "", action.message, key=order.key, is_retry=order.is_retry)
        return Done("done", f"posted in {action.channel}")

    async def _tell_person(self, person: Person, message: Message, key: str, is_retry: bool) -> Done:
        via = self._elsewhere.of(person) if self._elsewhere else None
        if via:
            await self._send(via, message, person.timezone)
            return Done("done", f"told {person.name} via {via}")
        if self._chat is None:
            return Done("skipped", "no chat is configured")
        if person.mattermost is None:
            lacking = f"{person.name} has no chat account in the configuration"
            await self._ledger.warn(f"chat account of {person.name}", f"{lacking}; add it to [[people]]")
            return Done("skipped", lacking)
        await self._chat.direct_message(person.mattermost, message, person.timezone, key=key, is_retry=is_retry)
        return Done("done", f"told {person.name} in chat")

    async def _send(self, name: str, message: Message, zone: str | None = None) -> None:
        if self._elsewhere is None:
            raise CannotAct(f"“{name}” has no address; set CRAFTY_CHANNELS")
        await self._elsewhere.send(name, message, zone)

    async def _reply(self, action: Reply, order: Order) -> Done:
        if self._forum is None:
            return Done("skipped", "no forum is configured")
        post = await self._forum.reply(action.topic, action.message, post=action.post, is_retry=order.is_retry)
        return Done("done", f"answered in topic {action.topic}" if post else "the answer waits for the forum's review")

    async def _assign(self, action: Assign, _: Order) -> Done:
        await self._jira.assign(action.ticket, action.person)
        return Done("done", f"assigned {action.ticket} to {action.person.name if action.person else 'nobody'}")

    async def _set_reviewer(self, action: SetReviewer, _: Order) -> Done:
        field = (await self._fields()).reviewer
        if field is None:
            raise CannotAct("the reviewer field was not found; name it in [jira.fields] of crafty.toml")
        await self._jira.set_user_field(action.ticket, field, action.person)
        await self._ledger.take_review(action.sprint, action.ticket, action.person.jira or action.person.name)
        return Done("done", f"made {action.person.name} the reviewer of {action.ticket}")

    async def _move_to_sprint(self, action: MoveToSprint, _: Order) -> Done:
        await self._jira.move_to_sprint(action.sprint, [action.ticket])
        return Done("done", f"moved {action.ticket} to {action.name}")

    async def _move_to_backlog(self, action: MoveToBacklog, _: Order) -> Done:
        await self._jira.move_to_backlog([action.ticket])
        return Done("done", f"moved {action.ticket} to the backlog")

    async def _rank_top(self, action: RankTop, _: Order) -> Done:
        first = await self._jira.first_of_sprint(action.sprint)
        if first and first != action.ticket:
            await self._jira.rank_first(action.ticket, first)
        return Done("done", f"put {action.ticket} on top of its sprint")

    async def _add_label(self, action: AddLabel, _: Order) -> Done:
        await self._jira.edit_labels(action.ticket, [action.label], [])
        return Done("done", f"put the label {action.label} on {action.ticket}")

    async def _remove_label(self, action: RemoveLabel, _: Order) -> Done:
        await self._jira.edit_labels(action.ticket, [], [action.label])
        return Done("done", f"took the label {action.label} off {action.ticket}")

    async def _create_ticket(self, action: CreateTicket, order: Order) -> Done:
        """Jira knows no idempotency key, so the ticket bears a label of its own, by which a retry finds it."""
        marker = f"crafty-{hashlib.sha256(order.key.encode()).hexdigest()[:12]}"
        ticket = await self._jira.find_by_label(action.project, marker) if order.is_retry else None
        created = ticket or await self._create(action, marker)
        note = Note(what="ticketed", at=order.now, id=created)
        return Done("done", f"made {created}", noted=Contributed(key=order.subject, notes=(note,)))

    async def _create(self, action: CreateTicket, marker: str) -> str:
        await self._fields()
        try:
            return await self._jira.create_ticket(
                action.project,
                action.issue_type,
                action.summary,
                action.message,
                due=action.due,
                epic=action.epic,
                assignee=action.assignee,
                labels=[*action.labels, marker],
            )
        except TryLater as fault:
            raise TryLater(f"{fault}", after=max(SEARCH_LAGS, fault.after or 0)) from fault

    async def _link(self, action: Link, _: Order) -> Done:
        await self._jira.add_remote_link(action.ticket, action.url, action.title, action.global_id)
        return Done("done", f"linked {action.ticket} to {action.title}")

    async def _record(self, action: Record, _: Order) -> Done:
        await self._ledger.keep_line(action.line)
        return Done("done", f"kept the line of {action.target} in the ledger")

    async def _warn(self, action: Warn, _: Order) -> Done:
        if await self._ledger.warn(action.about, action.text):
            log.warning("admins.warned", about=action.about, text=action.text)
        return Done("done", f"told admins: {action.text}")


def _case_after(action: Comment, order: Order, comment: str, before: Case | None) -> Case:
    return Case(
        rule=order.rule,
        subject=order.subject,
        comment=comment,
        occasion=action.occasion,
        state=action.state,
        at=before.at if before and before.open else order.now,
        turns=before.turns + 1 if before else 0,
        open=action.is_asking,
    )
