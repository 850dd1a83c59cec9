"""Keeps to people's working hours and to how many messages they get in a day; what is over goes into one list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from service.actions import Action, Comment, Digest, EditComment, Notify
from service.attention import Attention, mentioned, without_mention
from service.calendar import SprintCalendar
from service.facts import Person, Team
from service.ledger import Ledger
from service.queue import Wish, Work, perform
from service.texts import Item, Message, Paragraph, item, paragraph, small

INTRO = "{who}, a few more things that came up. None of them had to wait for you."
FOOTER = "Crafty sends {count} messages a day at most; this list holds the rest."


@dataclass(frozen=True)
class Pings:
    """Who may be written to now. Methods that count raise RedisAway."""

    attention: Attention
    team: Team
    ledger: Ledger

    def opens_at(self, person: Person, now: datetime) -> datetime:
        """`now`, or when the person's working hours begin next."""
        return self.attention.opens_at(person, self._calendar(person), now)

    def next_day(self, person: Person, now: datetime) -> datetime:
        """When the person may be written to on a later day."""
        return self.attention.next_day(person, self._calendar(person), now)

    async def may_ping(self, person: Person, about: str, now: datetime) -> bool:
        """Whether one more message is within the person's day; each thing counts once, however often it is tried."""
        day = self.attention.day_of(person, self._calendar(person), now)
        return await self.ledger.may_ping(person.id or person.name, day, about, self.attention.pings_a_day)

    async def within_budget(self, action: Action, work: Work, now: datetime) -> tuple[Action | None, list[Wish]]:
        """The action as it may be done, None where it may not; and the lists that take what is over."""
        if isinstance(action, Notify) and action.person:
            if await self.may_ping(action.person, work.key, now):
                return action, []
            return None, [self._listed(action, action.person, work, now)]
        if isinstance(action, Comment) and not isinstance(action, EditComment):
            return await self._mentioning(action, work, now)
        return action, []

    async def _mentioning(self, comment: Comment, work: Work, now: datetime) -> tuple[Comment, list[Wish]]:
        """A new comment notifies whom it mentions; who has had enough for the day is named instead."""
        case = await self.ledger.case(work.rule, work.subject)
        if case and case.occasion == comment.occasion:
            return comment, []
        message, lists = comment.message, []
        for person in mentioned(comment.message):
            if not await self.may_ping(person, work.key, now):
                message = without_mention(message, person)
                lists.append(self._listed(comment, person, work, now))
        return msgspec.structs.replace(comment, message=message), lists

    def _listed(self, action: Notify | Comment, person: Person, work: Work, now: datetime) -> Wish:
        at = self.next_day(person, now)
        digest = Digest(
            person=person,
            occasion=f"{at:%Y-%m-%d}",
            intro=paragraph(INTRO, who=person),
            after=action.after,
            line=_line(work.subject, action.message),
            footer=small(FOOTER, count=self.attention.pings_a_day),
            at=at,
            of_all_rules=True,
        )
        return perform(digest, work.rule, work.subject, now)

    def _calendar(self, person: Person) -> SprintCalendar:
        return self.team.home_of(person).calendar


def _line(subject: str, message: Message) -> Item:
    """A message in a list: what it is about, and its first paragraph."""
    first: Any = next(block for block in message.blocks if isinstance(block, Paragraph))
    return Item((*item("{subject}: ", subject=subject).inlines, *first.inlines))
