"""Takes a person out of all that is stored; docs/privacy.md says what is erased, what becomes "somebody", what stays.

Safe while the service runs: what changes meanwhile is read anew, and nothing of it is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import msgspec
from redis.exceptions import ResponseError

from service.ledger import PREFIX, halves, joined, redis_or_away
from service.packing import is_packed, packed, unpacked
from service.traces import Traces

ERASED: Final = "its content was erased, because somebody asked to be forgotten"

_SETTINGS: Final = frozenset({"site", "tunings"})
_STAYS: Final = _SETTINGS | {"deliveries", "due", "failed", "forgetting", "seen"}
"""What only admins change, what goes with the work it names, and by which ids and hashes no delivery is taken twice."""

_NAMED_FOR_PEOPLE: Final = frozenset({"done", "lines", "pings", "sending", "tried"})
"""Keys that may name a person, and tell of nothing but their messages then."""

_EFFECTS: Final = {b"perform", b"digest"}
_BATCH: Final = 500
_PAGE: Final = 200
_HOUR_SECONDS: Final = 3600

Tell = Callable[[int], None]
"""Is told how many keys were gone through."""

_READ: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "string": lambda redis, key: redis.get(key),
    "hash": lambda redis, key: redis.hgetall(key),
    "set": lambda redis, key: redis.smembers(key),
    "zset": lambda redis, key: redis.zrange(key, 0, -1),
    "stream": lambda redis, key: redis.xlen(key),
}
"""How each type of Redis is read; streams are read by pages. Lists hold moments, and nobody's name."""


@dataclass(frozen=True)
class Stored:
    """A key with what it holds. kind: Redis' name of its type; value: as it is read."""

    key: str
    kind: str
    value: Any

    @property
    def name(self) -> str:
        return self.key.removeprefix(PREFIX)

    @property
    def family(self) -> str:
        """What all keys of its sort begin with."""
        return _family(self.key)


@dataclass(frozen=True)
class Forgotten:
    """What was done. changed: how many entries of each family of keys; is_set: whether rules' settings name them."""

    changed: Mapping[str, int]
    is_set: bool


async def forget(redis: Any, traces: Traces, tell: Tell = lambda _: None) -> Forgotten:
    """Forgets the person. Once more changes nothing more; raises RedisAway where only a part of it is done.

    redis: the client; redis-py types each answer as awaitable or not.
    """
    async with redis_or_away():
        words: set[str] = set()
        gone_through = 0
        async for one in _everything(redis):
            words |= {word async for word in _learned(redis, traces, one)}
            tell(gone_through := gone_through + 1)
        eraser = _Eraser(redis, traces.known_also(words))
        async for one in _everything(redis):
            await eraser.erase(one)
            tell(gone_through := gone_through + 1)
        return Forgotten(dict(sorted(eraser.changed.items())), await eraser.finds_settings())


async def count_keys(redis: Any) -> int:
    """How many keys `forget` goes through, about."""
    async with redis_or_away():
        return 2 * int(await redis.dbsize())


async def rewrite_file(redis: Any) -> bool:
    """Lets Redis write its append-only file anew, without what was erased; False where it won't, or keeps none."""
    async with redis_or_away():
        try:
            is_kept = bool((await redis.info("persistence")).get("aof_enabled"))
            return is_kept and bool(await redis.bgrewriteaof())
        except ResponseError:
            return False


class _Eraser:
    """Erases what it is shown, and counts it in `changed`."""

    def __init__(self, redis: Any, traces: Traces) -> None:
        self._redis = redis
        self._traces = traces
        self.changed: Counter[str] = Counter()

    async def erase(self, one: Stored) -> None:
        """Erases, replaces or leaves what one key holds."""
        if self._is_theirs(one):
            await self._drop(one)
        elif one.kind == "stream":
            await self._erase_from_stream(one)
        elif self._without(one) != one.value:
            await self._redis.transaction(lambda pipe: self._replace(pipe, one), one.key)
            self.changed[one.family] += 1

    async def finds_settings(self) -> bool:
        """Whether what admins set names the person; only they can mend it."""
        found = [one async for one in _read(self._redis, [f"{PREFIX}{name}" for name in sorted(_SETTINGS)])]
        return any(self._without(one) != one.value for one in found)

    def _is_theirs(self, one: Stored) -> bool:
        """Whether it is for the person alone."""
        if one.family == "work":
            is_effect = one.value.get(b"kind") in _EFFECTS
            return is_effect and (self._traces.are_in(one.name) or self._traces.is_aimed_at(_payload(one)))
        return one.family in _NAMED_FOR_PEOPLE and self._traces.are_in(one.name)

    async def _drop(self, one: Stored) -> None:
        work = one.name.removeprefix("work:")
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(one.key).zrem(f"{PREFIX}due", work).zrem(f"{PREFIX}failed", work)
            await pipe.execute()
        self.changed[one.family] += 1

    async def _replace(self, pipe: Any, one: Stored) -> None:
        """Called by redis-py again until nobody changes the key in between."""
        before = await _READ[one.kind](pipe, one.key)
        after = self._without(Stored(one.key, one.kind, before)) if before else before
        pipe.multi()
        if before != after:
            _WRITE[one.kind](pipe, one.key, before, after)

    def _without(self, one: Stored) -> Any:
        match one.kind:
            case "string":
                return self._delivery(one.value) if one.family == "delivery" else self._text(one.value)
            case "hash":
                return {self._text(name): self._text(value) for name, value in one.value.items()}
            case "set":
                return {self._text(member) for member in one.value}
            case "zset":
                return [member for member in one.value if self._text(member) == member]
            case _:
                return one.value

    def _delivery(self, whole: bytes) -> bytes:
        """What a vendor says of a person can't be listed (pictures, addresses, nicknames), so the whole body goes."""
        before, body = halves(whole)
        record = self._text(before)
        if record == before and not self._traces.are_in(_decoded(body)):
            return whole
        told = {**msgspec.json.decode(record), "note": ERASED}
        return joined(msgspec.json.encode(told) if body else record, b"")

    def _text(self, raw: bytes) -> bytes:
        before = _decoded(raw)
        after = self._traces.without(before)
        if after == before:
            return raw
        text = after.encode() if isinstance(before, str) else msgspec.json.encode(after)
        return packed(text) if is_packed(raw) else text

    async def _erase_from_stream(self, one: Stored) -> None:
        """Entries of a stream can't be changed, so it is copied, with the ids and all that comes in meanwhile."""
        found = [row async for row in _rows(self._redis, one.key) if self._row(row) != row]
        if not found:
            return
        fresh = f"{PREFIX}forgetting:{uuid4()}"
        await self._redis.transaction(lambda pipe: self._swap(pipe, one.key, fresh), one.key)
        self.changed[one.family] += len(found)

    async def _swap(self, pipe: Any, key: str, fresh: str) -> None:
        """Called by redis-py again, and then for the rest only, until nothing comes in between."""
        newest = await self._redis.xrevrange(fresh, count=1)
        copying = self._redis.pipeline(transaction=False)
        async for name, fields in _rows(self._redis, key, after=newest[0][0] if newest else None):
            copying.xadd(fresh, self._row((name, fields))[1], id=name)
            if len(copying) >= _PAGE:
                await copying.expire(fresh, _HOUR_SECONDS).execute()
        await copying.expire(fresh, _HOUR_SECONDS).execute()
        left_ms = await pipe.pttl(key)
        pipe.multi()
        pipe.rename(fresh, key).persist(key)
        if left_ms > 0:
            pipe.pexpire(key, left_ms)

    def _row(self, row: tuple[bytes, Mapping[bytes, bytes]]) -> tuple[bytes, dict[bytes, bytes]]:
        return row[0], {name: self._text(value) for name, value in row[1].items()}


async def _everything(redis: Any) -> AsyncIterator[Stored]:
    """All that may tell of people; some of it twice, as Redis' SCAN gives it."""
    cursor = None
    while cursor != 0:
        cursor, keys = await redis.scan(cursor or 0, match=f"{PREFIX}*", count=_BATCH)
        async for one in _read(redis, [key.decode() for key in keys if _family(key.decode()) not in _STAYS]):
            yield one


async def _read(redis: Any, keys: Iterable[str]) -> AsyncIterator[Stored]:
    """What these keys hold, in two round trips."""
    names = list(keys)
    async with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.type(name)
        kinds = [kind.decode() for kind in await pipe.execute()]
        known = [(name, kind) for name, kind in zip(names, kinds, strict=True) if kind in _READ]
        for name, kind in known:
            _READ[kind](pipe, name)
        values = await pipe.execute()
    for (name, kind), value in zip(known, values, strict=True):
        if value:
            yield Stored(name, kind, value)


async def _rows(redis: Any, key: str, after: bytes | None = None) -> AsyncIterator[tuple[bytes, Mapping[bytes, bytes]]]:
    """A stream's entries, oldest first, from the one after that id on."""
    last = after
    while rows := await redis.xrange(key, min=b"(" + last if last else "-", count=_PAGE):
        for row in rows:
            yield row
        last = rows[-1][0]


async def _learned(redis: Any, traces: Traces, one: Stored) -> AsyncIterator[str]:
    """What else the person is called there."""
    if one.kind == "stream":
        async for _, fields in _rows(redis, one.key):
            for raw in fields.values():
                for word in traces.learned(_decoded(raw), ""):
                    yield word
        return
    for value, source in _values(one):
        for word in traces.learned(value, source):
            yield word


def _values(one: Stored) -> Iterator[tuple[Any, str]]:
    """The JSON values that a key holds, with the source of those that came from one."""
    if one.family == "delivery":
        record, body = halves(one.value)
        yield _decoded(body), _decoded(record)["source"]
    elif one.kind == "hash":
        yield from ((_decoded(raw), "") for raw in one.value.values())
    elif one.kind == "string":
        yield _decoded(one.value), ""


def _payload(one: Stored) -> Any:
    return _decoded(one.value.get(b"payload", b""))


def _decoded(raw: bytes) -> Any:
    """A stored text: the value of one that is JSON's object or list, else the text itself."""
    text = unpacked(raw)
    try:
        return msgspec.json.decode(text) if text[:1] in {b"{", b"["} else text.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text.decode(errors="replace")


def _family(key: str) -> str:
    return key.removeprefix(PREFIX).partition(":")[0]


def _set_string(pipe: Any, key: str, _: bytes, after: bytes) -> None:
    pipe.set(key, after, keepttl=True)


def _set_hash(pipe: Any, key: str, before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]) -> None:
    pipe.hset(key, mapping=after)
    if gone := before.keys() - after.keys():
        pipe.hdel(key, *gone)


def _set_members(pipe: Any, key: str, before: set[bytes], after: set[bytes]) -> None:
    pipe.sadd(key, *after)
    pipe.srem(key, *(before - after))


def _set_ranks(pipe: Any, key: str, before: list[bytes], after: list[bytes]) -> None:
    pipe.zrem(key, *(set(before) - set(after)))


_WRITE: Final[Mapping[str, Callable[[Any, str, Any, Any], None]]] = {
    "string": _set_string,
    "hash": _set_hash,
    "set": _set_members,
    "zset": _set_ranks,
}
"""How each type is changed within a transaction; a key's time to live stays as it is."""
