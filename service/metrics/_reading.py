"""What all processes did together, as the store has it at one moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import msgspec

from service.attention import Attention
from service.contributions import Acknowledgement
from service.facts import Team
from service.findings import Examined
from service.ledger import PREFIX, Ledger, redis_or_away
from service.queue import ARQ_QUEUE
from service.steering import State, Steering

_RECENT_HOURS: Final = 3
"""How far back a scrape takes up what was counted; the hourly sweep goes further."""

_OLDEST: Final = 1000
_PORTION: Final = 200
_ANSWER: Final = msgspec.json.Decoder(Acknowledgement)


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much there is to do.

    states: pieces of work by state; handed_out: those that arq knows of; due: for how many seconds the longest due ones
    have been due, with their kinds; is_attended: whether a worker is at work.
    """

    states: Mapping[State, int]
    handed_out: int
    due: Sequence[tuple[str, float]]
    is_attended: bool


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read.

    totals: as the ledger counts; swept, delivered: moments by cell and by source; examined: by part; pings: how many
    each person has had on their day, nameless; budget: how many they may have.
    """

    totals: Mapping[str, int]
    work: Work
    swept: Mapping[str, datetime]
    delivered: Mapping[str, datetime]
    examined: Mapping[str, Examined]
    warnings: int
    pings: Sequence[int]
    budget: int
    answered: Sequence[Acknowledgement]


@dataclass(frozen=True)
class Reader:
    """Reads all that the metrics tell of. redis: the client of the store."""

    redis: Any  # redis-py types each answer as awaitable or not, whatever the client
    ledger: Ledger
    steering: Steering
    attention: Attention
    team: Team

    async def read(self, now: datetime) -> Reading:
        """All of it, and takes up what was counted lately; raises RedisAway."""
        cells = {cell.name for cell in self.team.cells}
        return Reading(
            totals=await self.ledger.totals(now, _RECENT_HOURS),
            work=await self._work(now),
            swept={cell: at for cell, at in (await self.ledger.swept()).items() if cell in cells},
            delivered=await self.ledger.last_deliveries(),
            examined=await self.ledger.examined(),
            warnings=len(await self.ledger.warnings()),
            pings=await self.ledger.pings(list(self._days(now))),
            budget=self.attention.pings_a_day,
            answered=[line async for line in self._answered()],
        )

    async def _work(self, now: datetime) -> Work:
        until = now.timestamp() * 1000
        async with redis_or_away(), self.redis.pipeline(transaction=False) as pipe:
            pipe.zrangebyscore(f"{PREFIX}due", "-inf", until, 0, _OLDEST, withscores=True)
            pipe.zcard(ARQ_QUEUE).exists(f"{ARQ_QUEUE}:health-check")
            due, handed_out, is_attended = await pipe.execute()
            for name, _ in due:
                pipe.hget(f"{PREFIX}work:{name.decode()}", "kind")
            kinds = await pipe.execute()
        waited = ((until - since) / 1000 for _, since in due)
        return Work(
            states=await self.steering.counts(),
            handed_out=handed_out,
            due=[(kind.decode(), seconds) for kind, seconds in zip(kinds, waited, strict=True) if kind],
            is_attended=bool(is_attended),
        )

    async def _answered(self) -> AsyncIterator[Acknowledgement]:
        """How every contribution was answered, in small portions: deliveries that come in meanwhile need not wait."""
        seen = set[bytes]()
        async with redis_or_away():
            async for name, line in self.redis.hscan_iter(f"{PREFIX}acknowledgements", count=_PORTION):
                if name not in seen:
                    seen.add(name)
                    yield _ANSWER.decode(line)

    def _days(self, now: datetime) -> Iterator[tuple[str, date]]:
        """Each member by their id with their own day."""
        if not self.team.cells:
            return
        homes = {member.id: cell.calendar for cell in self.team.cells for member in cell.members}
        for person in self.team.members:
            calendar = homes.get(person.id, self.team.cells[0].calendar)
            yield person.id or person.name, self.attention.day_of(person, calendar, now)
