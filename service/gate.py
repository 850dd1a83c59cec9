"""The gate that all calls of all processes go through: how many there were, and who wants to be left alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from service.clock import Clock
from service.ledger import redis_or_away, script
from service.limits import Lane, answer_class

log = structlog.get_logger()

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class SharedGate:
    """A gate for every process on one Redis; all methods raise RedisAway when Redis can't be used.

    clock: tells the moments of calls; those of several machines should agree to a fraction of a second.
    """

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._clock = clock
        self._enter: Any = redis.register_script(script("limit"))
        self._close: Any = redis.register_script(script("close"))
        self._answer: Any = redis.register_script(script("answer"))

    async def enter(self, lanes: Sequence[Lane]) -> float:
        """0 where a call may go through all these lanes now, and is counted in each; else the seconds to wait first."""
        asked = [
            {"name": lane.name, "windows": [(one.calls, _ms(one.seconds)) for one in lane.windows]} for lane in lanes
        ]
        call = msgspec.json.encode({"now": self._now(), "lanes": asked})
        async with redis_or_away():
            wait: int = await self._enter(args=[call])
        return wait / 1000

    async def close(self, lane: Lane, seconds: float) -> None:
        """Lets nobody through the lane for that long; a longer pause that is kept already stands."""
        log.info("calls.paused", lane=lane.name, seconds=seconds)
        async with redis_or_away():
            await self._close(args=[lane.name, self._now(), _ms(seconds)])

    async def answered(self, lane: Lane, status: int | None) -> None:
        """Counts an answer by its status code, None for a call that got none; lane: that of the whole service."""
        async with redis_or_away():
            await self._answer(args=[f"answered {lane.name} {answer_class(status)}", self._now()])

    def _now(self) -> int:
        return (self._clock() - _EPOCH) // _MILLISECOND


def _as_told(lane: Lane) -> dict[str, Any]:
    return {"name": lane.name, "windows": [(window.calls, _ms(window.seconds)) for window in lane.windows]}


def _ms(seconds: float) -> int:
    return ceil(seconds * 1000)
