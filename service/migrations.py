"""Brings what earlier versions stored to the format of this one; whichever process starts first does it.

A format is what is stored as one version reads and writes it. What is only added, and may be missing, needs no new one:
old processes keep what they do not know. A new one needs a step here, from the format before it. That step can be
repeated, and runs while processes of the version before still work; what they write meanwhile is read too. Once the
store says that it is of the new format, they write no more.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from tenacity import retry, retry_if_exception_type, wait_random_exponential

from service.errors import RedisAway
from service.ledger import FORMAT, PREFIX, TAKEN_OVER, joined, redis_or_away, script

log = structlog.get_logger()

_BATCH: Final = 500


async def lacking(redis: Redis) -> str | None:
    """Why this version can't work on that store yet, or any more; None where it can. Raises RedisAway."""
    stored = await _format(redis)
    if stored > FORMAT:
        return TAKEN_OVER
    return None if stored == FORMAT else "what is stored is being brought to the format of this version"


@retry(retry=retry_if_exception_type(RedisAway), wait=wait_random_exponential(0.1, 5))
async def migrate_when_it_answers(redis: Redis) -> None:
    """The same as `migrate`, as soon as Redis answers."""
    await migrate(redis)


async def migrate(redis: Redis) -> None:
    """Takes the steps that are missing, none in a store of a newer version; raises RedisAway."""
    stored = await _format(redis)
    if stored >= FORMAT:
        return
    for step in _STEPS[max(stored - 1, 0) :]:  # the last one that was taken too: others wrote on while it was
        async with redis_or_away():
            await step(redis)
    async with redis_or_away():
        await _run(redis, "adopt")
    log.info("store.migrated", before=stored, now=FORMAT)


async def _format(redis: Any) -> int:
    async with redis_or_away():
        return int(await redis.get(f"{PREFIX}format") or 0)


async def _name_formats(redis: Redis) -> None:
    """Each piece of work says by which format it was written."""
    keys: list[bytes] = []
    async for key in redis.scan_iter(f"{PREFIX}work:*", count=_BATCH):
        keys.append(key)
        if len(keys) == _BATCH:
            await _run(redis, "stamp", *keys)
            keys.clear()
    await _run(redis, "stamp", *keys)


async def _pack_deliveries(redis: Any) -> None:
    """A delivery and its body are one packed value; they were two fields, the body packed with zlib."""
    async for key in redis.scan_iter(f"{PREFIX}delivery:*", count=_BATCH, _type="hash"):
        await redis.transaction(lambda pipe, key=key: _pack(pipe, key), key)


async def _pack(pipe: Any, key: bytes) -> None:
    """Called by redis-py again where the key is changed in between."""
    fields, left_ms = await _fields(pipe, key), await pipe.pttl(key)
    pipe.multi()
    if fields:
        body = fields.get(b"body", b"")
        pipe.delete(key).set(key, joined(fields[b"record"], zlib.decompress(body) if body else b""), px=left_ms)


async def _fields(pipe: Any, key: bytes) -> dict[bytes, bytes]:
    """None where another process has packed it meanwhile."""
    try:
        fields: dict[bytes, bytes] = await pipe.hgetall(key)
    except ResponseError:
        return {}
    return fields


async def _to_first_format(redis: Redis) -> None:
    await _name_formats(redis)
    await _pack_deliveries(redis)


_STEPS: Final[tuple[Callable[[Redis], Awaitable[None]], ...]] = (_to_first_format,)


async def _run(redis: Any, name: str, *args: bytes) -> None:
    await redis.eval(script(name), 0, *args)
