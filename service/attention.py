"""People's attention: when they may be written to, and how often in a day. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from service.calendar import SprintCalendar
from service.facts import Person
from service.texts import Mention, Message, Paragraph, Text

_LONGEST_ABSENCE: Final = 366
"""Days after which a message is sent even to somebody who is still away."""


@dataclass(frozen=True)
class Attention:
    """The house's manners.

    pings_a_day: how many messages and mentions a person gets in one of their days; quiet_from, quiet_until: local times
    between which nobody is written to, across midnight where the first is the later one.
    """

    pings_a_day: int = 5
    quiet_from: time = time(20)
    quiet_until: time = time(8)

    def opens_at(self, person: Person, calendar: SprintCalendar, now: datetime) -> datetime:
        """`now`, where it suits the person, else the next instant that does.

        calendar: of the person's cell, for its holidays; the person's own zone counts where it is known.
        """
        own = _calendar_of(person, calendar)
        local = own.local(now)
        if own.is_working_day(local.date(), person.time_off) and not self._is_quiet(local.time()):
            return now
        days = (local.date() + timedelta(days=n) for n in range(_LONGEST_ABSENCE))
        working = (day for day in days if own.is_working_day(day, person.time_off))
        openings = (own.instant_of(datetime.combine(day, opening)) for day in working for opening in self._openings)
        return next((at for at in openings if at > now), now)

    def next_day(self, person: Person, calendar: SprintCalendar, now: datetime) -> datetime:
        """When the person may be written to on a later day than today."""
        own = _calendar_of(person, calendar)
        tomorrow = datetime.combine(own.local(now).date() + timedelta(days=1), time())
        return self.opens_at(person, calendar, own.instant_of(tomorrow))

    def day_of(self, person: Person, calendar: SprintCalendar, now: datetime) -> date:
        """The person's local day."""
        return _calendar_of(person, calendar).local(now).date()

    @property
    def _openings(self) -> tuple[time, ...]:
        """The local times at which a working day may begin, or go on."""
        return tuple(one for one in (time(), self.quiet_until) if not self._is_quiet(one))

    def _is_quiet(self, local: time) -> bool:
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= local < self.quiet_until
        return local >= self.quiet_from or local < self.quiet_until


def mentioned(message: Message) -> tuple[Person, ...]:
    """The members that a message mentions, each once."""
    blocks = (block for block in message.blocks if isinstance(block, Paragraph))
    people = [one.person for block in blocks for one in block.inlines if isinstance(one, Mention)]
    return tuple({person.id: person for person in people if person.is_member}.values())


def without_mention(message: Message, person: Person) -> Message:
    """The same words with the person's name instead of a mention, which would notify them."""
    blocks = tuple(_quietened(block, person) if isinstance(block, Paragraph) else block for block in message.blocks)
    return Message(blocks)


def _quietened(block: Paragraph, person: Person) -> Paragraph:
    named = Text(person.name)
    return Paragraph(
        tuple(named if isinstance(one, Mention) and one.person.is_same(person) else one for one in block.inlines)
    )


def _calendar_of(person: Person, calendar: SprintCalendar) -> SprintCalendar:
    return replace(calendar, zone=ZoneInfo(person.timezone)) if person.timezone else calendar
