"""Whether Redis keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from service.findings import Finding, doubtful, fine, unchecked, wrong
from service.ledger import redis_or_away

CHECK: Final = "redis"
_OLDEST: Final = (6, 2)
_MUCH: Final = 0.8
_MEBIBYTE: Final = 2**20


@dataclass(frozen=True)
class RedisReading:
    """What a server tells. keeps_snapshots: None where it does not tell; limit: bytes, 0 for none."""

    version: str
    is_primary: bool
    is_cluster: bool
    keeps_log: bool
    keeps_snapshots: bool | None
    is_writing_well: bool
    policy: str
    used: int
    limit: int


async def read_redis(redis: Redis) -> RedisReading:
    """Asks the server; raises RedisAway."""
    async with redis_or_away():
        info: dict[str, Any] = await redis.info()
        keeps_snapshots = await _keeps_snapshots(redis)
    return RedisReading(
        version=str(info["redis_version"]),
        is_primary=info.get("role", "master") == "master",
        is_cluster=info.get("redis_mode") == "cluster",
        keeps_log=bool(info.get("aof_enabled")),
        keeps_snapshots=keeps_snapshots,
        is_writing_well={info.get("aof_last_write_status", "ok"), info.get("rdb_last_bgsave_status", "ok")} == {"ok"},
        policy=str(info.get("maxmemory_policy", "")),
        used=int(info["used_memory"]),
        limit=int(info.get("maxmemory", 0)),
    )


async def _keeps_snapshots(redis: Redis) -> bool | None:
    """Hosted servers forbid CONFIG."""
    try:
        settings: dict[str, str] = await redis.config_get("save")
    except ResponseError:
        return None
    return bool(settings.get("save"))


def not_there() -> Finding:
    """For a machine where no Redis runs and none is configured."""
    what = "no Redis runs now; `crafty up` brings one of its own"
    return unchecked(CHECK, "server", what, "Start `crafty up`, or set CRAFTY_REDIS_URL.")


def of_redis(read: RedisReading) -> Iterator[Finding]:
    """Its version and role, what it keeps over a restart, what it throws away, and how full it is."""
    yield _server(read)
    yield _persistence(read)
    yield _eviction(read)
    yield _memory(read)


def _server(read: RedisReading) -> Finding:
    if _numbers(read.version) < _OLDEST:
        return wrong(CHECK, "server", f"it is version {read.version}", "Install Redis 6.2 or newer, or Valkey.")
    if read.is_cluster:
        what = "it is a cluster, where several keys can't change together"
        return wrong(CHECK, "server", what, "Point CRAFTY_REDIS_URL at a single server, or at Sentinels.")
    if not read.is_primary:
        return wrong(
            CHECK, "server", "it is a replica, which takes no writes", "Point CRAFTY_REDIS_URL at the primary."
        )
    return fine(CHECK, "server", f"version {read.version}")


def _persistence(read: RedisReading) -> Finding:
    mend = "Set appendonly yes, and appendfsync everysec, in its configuration."
    if not read.is_writing_well:
        return wrong(
            CHECK, "persistence", "its last write to the disk failed", "Look into its log, and for a full disk."
        )
    if read.keeps_log:
        return fine(CHECK, "persistence", "it keeps an append-only file")
    if read.keeps_snapshots is False:
        return wrong(CHECK, "persistence", "a restart loses everything: it keeps nothing on the disk", mend)
    return doubtful(CHECK, "persistence", "a crash loses the last minutes: it has no append-only file", mend)


def _eviction(read: RedisReading) -> Finding:
    if read.policy != "noeviction":
        what = f"it throws keys away when it is full ({read.policy or 'unknown policy'})"
        return wrong(
            CHECK, "eviction", what, "Set maxmemory-policy noeviction, and use no Redis that serves as a cache."
        )
    return fine(CHECK, "eviction", "it throws nothing away")


def _memory(read: RedisReading) -> Finding:
    used = f"{read.used / _MEBIBYTE:.0f} MiB"
    if not read.limit:
        return fine(CHECK, "memory", f"{used} used, no limit")
    what = f"{used} of {read.limit / _MEBIBYTE:.0f} MiB used"
    if read.used > _MUCH * read.limit:
        return wrong(CHECK, "memory", what, "Raise maxmemory before it refuses writes.")
    return fine(CHECK, "memory", what)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
