"""What was stored: deliveries, the timeline of each subject, what the bot has said and done, and the site's facts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.engine import Decision
from service.errors import RedisAway
from service.facts import Said
from service.jira_shapes import FieldMap

PREFIX: Final = "crafty:"


@asynccontextmanager
async def redis_or_away() -> AsyncIterator[None]:
    """Turns every failure of Redis into RedisAway, whose text names no address."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise RedisAway(f"Redis can't be used at the moment ({type(error).__name__})") from error


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What came in. body: the bytes as they came, packed by the caller; note: why no rule was concerned."""

    id: str
    source: str
    event: str
    subject: str | None
    received: datetime
    headers: Mapping[str, str] = {}
    note: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule's comment on a subject says. open: whether it still asks for something."""

    rule: str
    subject: str
    comment: str
    occasion: str
    state: str
    at: datetime
    turns: int
    open: bool


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an action, for the timeline."""

    rule: str
    kind: str
    target: str
    result: Literal["done", "skipped", "failed"]
    reason: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a subject's timeline: decisions at a stage (webhook or look), or an effect."""

    at: datetime
    subject: str
    stage: str
    delivery: str | None = None
    event: str | None = None
    decisions: tuple[Decision, ...] = ()
    effect: Effect | None = None


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about the connected systems.

    jira_bot, discourse_bot: the accounts we act under; problems: one sentence for each field that was not found.
    """

    fields: FieldMap = FieldMap()
    jira_bot: tuple[str, ...] = ()
    discourse_bot: str | None = None
    problems: tuple[str, ...] = ()


class Ledger:
    """Reads what the scripts of the queue store; all methods raise RedisAway when Redis can't be used."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis  # redis-py types each answer as awaitable or not, whatever the client

    async def ping(self) -> None:
        """Whether Redis answers."""
        async with redis_or_away():
            await self._redis.ping()

    async def case(self, rule: str, subject: str) -> Case | None:
        """What the rule's comment on a subject says, None where it wrote none."""
        raw = await self._hash(f"case:{rule}:{subject}")
        return msgspec.convert(raw, Case, strict=False) if "comment" in raw else None

    async def is_writing(self, rule: str, subject: str) -> bool:
        """Whether the rule's comment is on its way, so that what it says is about to change."""
        async with redis_or_away():
            key: bytes | None = await self._redis.hget(f"{PREFIX}case:{rule}:{subject}", "writing")
            return key is not None and bool(await self._redis.exists(f"{PREFIX}work:{key.decode()}"))

    async def said(self, rule: str, subject: str) -> Said | None:
        """The same, as rules are told of it."""
        case = await self.case(rule, subject)
        if case is None:
            return None
        return Said(occasion=case.occasion, state=case.state, at=case.at, turns=case.turns)

    async def is_done(self, key: str) -> bool:
        """Whether an action of this key was done before."""
        async with redis_or_away():
            return bool(await self._redis.exists(f"{PREFIX}done:{key}"))

    async def has_failed(self, key: str) -> bool:
        """Whether an action of this key was given up, and waits for somebody among the dead letters."""
        async with redis_or_away():
            return await self._redis.zscore(f"{PREFIX}failed", key) is not None

    async def lines(self, key: str) -> dict[str, str]:
        """The lines that a digest is about to send, by what they speak of; the same ones each time it tries."""
        return await self._hash(f"sending:{key}")

    async def timeline(self, subject: str | None = None, limit: int = 100) -> list[Entry]:
        """The newest entries of a subject, or of all, newest first."""
        name = f"timeline:{subject}" if subject else "timeline"
        async with redis_or_away():
            rows = await self._redis.xrevrange(f"{PREFIX}{name}", count=limit)
        return [msgspec.json.decode(fields[b"entry"], type=Entry) for _, fields in rows]

    async def delivery(self, delivery: str) -> tuple[Delivery, bytes] | None:
        """A stored delivery and its packed body."""
        async with redis_or_away():
            record, body = await self._redis.hmget(f"{PREFIX}delivery:{delivery}", "record", "body")
        return (msgspec.json.decode(record, type=Delivery), body) if record else None

    async def reviews_taken(self, sprint: int) -> dict[str, int]:
        """How many reviews were given to each person in a sprint because nobody took them, by Jira account."""
        given = await self._hash(f"reviews:{sprint}")
        return {person: list(given.values()).count(person) for person in set(given.values())}

    async def take_review(self, sprint: int, ticket: str, person: str) -> None:
        """Notes that this review was given to that person; noting it twice is the same as once."""
        async with redis_or_away():
            await self._redis.hset(f"{PREFIX}reviews:{sprint}", ticket, person)
            await self._redis.expire(f"{PREFIX}reviews:{sprint}", 120 * 86_400)

    async def site(self) -> tuple[Site | None, str]:
        """What was found out about the connected systems, and the version of all that evaluation rests on."""
        async with redis_or_away():
            raw, version = await self._redis.mget(f"{PREFIX}site", f"{PREFIX}version")
        return (msgspec.json.decode(raw, type=Site) if raw else None), (version or b"0").decode()

    async def keep_site(self, site: Site) -> None:
        """Stores it; a change makes every process evaluate by it from the next delivery on."""
        if (await self.site())[0] == site:
            return
        async with redis_or_away(), self._redis.pipeline(transaction=True) as pipe:
            await pipe.set(f"{PREFIX}site", msgspec.json.encode(site)).incr(f"{PREFIX}version").execute()

    async def cached(self, name: str) -> bytes | None:
        """A value that was kept for a while."""
        async with redis_or_away():
            value: bytes | None = await self._redis.get(f"{PREFIX}cache:{name}")
        return value

    async def cache(self, name: str, value: bytes, seconds: int) -> None:
        """Keeps a value for that many seconds."""
        async with redis_or_away():
            await self._redis.set(f"{PREFIX}cache:{name}", value, ex=seconds)

    async def _hash(self, name: str) -> dict[str, str]:
        async with redis_or_away():
            raw: dict[bytes, bytes] = await self._redis.hgetall(f"{PREFIX}{name}")
        return {key.decode(): value.decode() for key, value in raw.items()}
