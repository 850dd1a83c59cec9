"""What else befalls a house than kills: no Redis, a full one, and a worker that sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from random import Random
from typing import Final, Literal

from redis.asyncio import Redis

from chaos.house import House, Store, Victim, taken_up
from chaos.report import Found

Shortage = Literal["disk", "memory"]
_SHORTAGES: Final[dict[Shortage, Callable[[Store], AbstractContextManager[None]]]] = {
    "disk": Store.full_disk,
    "memory": Store.full_memory,
}
_LEASES: Final = 1.5
"""How long a worker sleeps, in leases."""

_WAKING_SECONDS: Final = 1.0
_MOMENT: Final = 0.5
_GLANCE: Final = 0.002
_GLANCES: Final = 5000
"""How often, and after how many seconds each, it is looked whether there is work in hand."""


async def redis_away(after: float, seconds: float, house: House, _: Random) -> Found:
    """Redis is away for that long, from some seconds after people began to work."""
    await asyncio.sleep(after)
    async with house.store.away():
        await asyncio.sleep(seconds)
    return Found({"seconds without Redis": round(seconds)}, {})


async def redis_full(of: Sequence[Shortage], seconds: float, house: House, _: Random) -> Found:
    """Redis has no room of each kind for that long, and room for as long before."""
    for shortage in of:
        await asyncio.sleep(seconds)
        with _SHORTAGES[shortage](house.store):
            await asyncio.sleep(seconds)
    return Found({f"seconds without {shortage}": round(seconds) for shortage in of}, {})


async def worker_asleep(times: int, lease: float, house: House, chance: Random) -> Found:
    """One worker after the other is stopped over its work for longer than its lease, and wakes up to find it done."""
    async with Redis.from_url(house.store.url) as redis:
        held = [await _fall_asleep(house.workers[number % 2], lease, redis, chance) for number in range(times)]
    await asyncio.sleep(_WAKING_SECONDS)
    facts = {
        "workers stopped past their lease": sum(map(bool, held)),
        "work that they had in hand": sum(held),
        "endings that came too late": house.said("work.lease_lost"),
    }
    idle = [f"time {number}" for number, count in enumerate(held, 1) if not count]
    return Found(facts, {"had nothing in hand": idle})


async def _fall_asleep(worker: Victim, lease: float, redis: Redis, chance: Random) -> int:
    """Stops it once it has work in hand; how much that was, 0 where it had none for long."""
    await asyncio.sleep(chance.uniform(0.0, _WAKING_SECONDS))
    for _ in range(_GLANCES):
        await asyncio.sleep(_GLANCE)
        if not await taken_up(redis):
            continue
        with worker.stopped():
            if held := await _stuck(redis):
                await asyncio.sleep(_LEASES * lease)
                return held
    return 0


async def _stuck(redis: Redis) -> int:
    """How much work is in hand and stays there: what others have in hand is done in a moment."""
    before = await taken_up(redis)
    await asyncio.sleep(_MOMENT)
    return len(before & await taken_up(redis))
