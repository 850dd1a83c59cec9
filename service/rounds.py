"""The doctor's rounds: what is wrong is noticed by itself, kept for the console, and told to admins once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

import structlog

from service.actions import Notify
from service.clock import Clock
from service.effects import Effects, Order
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Team
from service.findings import Examined, Finding, newly_wrong
from service.ledger import Ledger
from service.queue import Result, Work
from service.texts import Checklist, Message, item, paragraph, small

log = structlog.get_logger()

EVERYTHING: Final = "everything"
"""The part that is examined each night."""

REGISTRATION: Final = "webhooks"
"""The part that is examined each hour."""

NIGHT: Final = time(4)
"""When nobody works, in the zone of the first cell."""

HOUR: Final = timedelta(hours=1)
_RULE: Final = "doctor"
_SECONDS: Final = 45
"""How long an examination may take; a worker's job may take little more."""

Examinations = Mapping[str, Callable[[], Awaitable[Sequence[Finding]]]]
"""How each part is examined. What its system's clients raise may go through."""


@dataclass(frozen=True)
class Rounds:
    """Examines parts of the installation. admin_channel: None where admins have no channel in the chat."""

    examinations: Examinations
    effects: Effects
    admin_channel: str | None
    ledger: Ledger
    team: Team
    clock: Clock

    async def examine(self, work: Work) -> Result:
        """Examines the part that the work is about, and tells admins of what is newly wrong with it.

        Raises what the examination raises, or RedisAway. What takes too long, or can't be told because the chat is
        away, is tried again an hour later.
        """
        part, now = work.subject, self.clock()
        try:
            async with asyncio.timeout(_SECONDS):
                found = Examined(at=now, findings=tuple(await self.examinations[part]()))
        except TimeoutError:
            return Result(ending="waiting", due=now + HOUR, error=f"it took longer than {_SECONDS} seconds")
        await self.ledger.keep_examined(part, found)
        return await self._told(work, found)

    async def _told(self, work: Work, found: Examined) -> Result:
        part, now = work.subject, found.at
        new = newly_wrong(await self.ledger.told_wrong(part), found.findings)
        for one in new:
            log.warning("doctor.wrong", check=one.check, about=one.about, what=one.what, mend=one.mend)
        if new and not await self._tell(new, work):
            return Result(ending="retry", due=now + HOUR, error="admins could not be told in chat")
        await self.ledger.keep_told_wrong(part, {one.key for one in found.wrong})
        return Result(ending="waiting", due=self._next(part, now))

    async def _tell(self, new: Sequence[Finding], work: Work) -> bool:
        """Whether it was told, or can't be: a chat that refuses us is a finding of its own, in console and log."""
        if self.admin_channel is None:
            return True
        notice = Notify(channel=self.admin_channel, message=message_of(new))
        key = f"{work.key}:{work.wanted.isoformat()}"
        try:
            await self.effects.do(Order(notice, key, _RULE, work.subject, self.clock(), is_retry=work.tries > 1))
        except TryLater as fault:
            log.warning("doctor.chat_away", reason=f"{fault}")
            return False
        except (NotFound, CannotAct) as refusal:
            await self.ledger.warn(f"channel {self.admin_channel}", f"admins can't be told there: {refusal}")
        return True

    def _next(self, part: str, now: datetime) -> datetime:
        if part == REGISTRATION:
            return now + HOUR
        zone = self.team.cells[0].calendar.zone if self.team.cells else UTC
        today = now.astimezone(zone).date()
        nights = (datetime.combine(today + timedelta(days=days), NIGHT, zone) for days in (0, 1))
        return next(night for night in nights if night > now).astimezone(UTC)


def message_of(new: Sequence[Finding]) -> Message:
    """What admins are told: each thing that is wrong, and how to mend it."""
    lines = tuple(item("{key}: {what}. {mend}", key=one.key, what=one.what.rstrip("."), mend=one.mend) for one in new)
    intro = paragraph("Something new needs a hand:")
    return Message((intro, Checklist(lines), small("The console's overview lists all of it; so does `crafty doctor`.")))
