"""Stores as earlier versions of Crafty left them, as JSON that people can read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

Json = dict[str, Any]

FOLDER: Final = Path(__file__).parent


async def load(redis: Redis, name: str) -> None:
    """Puts the snapshot of that name into an empty store."""
    kept: Json = json.loads((FOLDER / f"{name}.json").read_text())
    for key, one in kept.items():
        await _write(redis, key, one["type"], one["value"])
        if one["seconds"]:
            await redis.expire(key, one["seconds"])


async def taken(redis: Redis) -> Json:
    """Every key with its type, its value and for how many seconds it is kept; what the next snapshot is made with."""
    keys = sorted([key async for key in redis.scan_iter()])
    return {key.decode(): await _read(redis, key) for key in keys}


async def _read(redis: Any, key: bytes) -> Json:
    kind = (await redis.type(key)).decode()
    seconds = max(0, await redis.ttl(key))
    return {"type": kind, "seconds": seconds, "value": await _value(redis, key, kind)}


async def _value(redis: Any, key: bytes, kind: str) -> Any:
    match kind:
        case "string":
            return _told(await redis.get(key))
        case "hash":
            return {_told(name): _told(value) for name, value in sorted((await redis.hgetall(key)).items())}
        case "list":
            return [_told(value) for value in await redis.lrange(key, 0, -1)]
        case "set":
            return sorted(_told(value) for value in await redis.smembers(key))
        case "zset":
            return {_told(name): score for name, score in await redis.zrange(key, 0, -1, withscores=True)}
        case _:
            rows = await redis.xrange(key)
            return {_told(row): {_told(name): _told(value) for name, value in told.items()} for row, told in rows}


async def _write(redis: Any, key: str, kind: str, value: Any) -> None:
    match kind:
        case "string":
            await redis.set(key, _heard(value))
        case "hash":
            await redis.hset(key, mapping={name: _heard(one) for name, one in value.items()})
        case "list":
            await redis.rpush(key, *map(_heard, value))
        case "set":
            await redis.sadd(key, *map(_heard, value))
        case "zset":
            await redis.zadd(key, value)
        case _:
            for row, told in value.items():
                await redis.xadd(key, told, id=row)


_PACKED: Final = "base64:"


def _told(value: bytes) -> str:
    """As text where it is one: of what is stored only the bodies of deliveries are packed."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _PACKED + base64.b64encode(value).decode()


def _heard(text: str) -> bytes:
    return base64.b64decode(text.removeprefix(_PACKED)) if text.startswith(_PACKED) else text.encode()
