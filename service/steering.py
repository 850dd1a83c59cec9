"""What admins do while the service runs: set rules, try work again or drop it. Each deed goes into the audit log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
from redis.asyncio import Redis

from service.clock import Clock
from service.current import Current
from service.errors import CraftyError
from service.ledger import PREFIX, redis_or_away, script
from service.queue import PERIODIC, sweep
from service.rules._base import Rule
from service.toml_problems import did_you_mean
from service.tuning import CannotTuneError, Mistake, Tuning, changed, shown

State = Literal["queued", "deferred", "failed"]

_ATTEMPTS: Final = 10


class Actor(msgspec.Struct, frozen=True):
    """Who does something. name: of their token, or of their account on the machine; origin: their address, or "cli"."""

    name: str
    origin: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the audit log. what: such as "rule green-ticket"; before and after: JSON values."""

    at: datetime
    who: str
    origin: str
    what: str
    before: Any = None
    after: Any = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of outgoing work. due: when it is done, was to be done, or was given up; tries: since it was wanted."""

    id: str
    state: State
    kind: str
    rule: str
    subject: str
    due: datetime
    tries: int = 0
    error: str = ""
    payload: Any = None


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a rule is set: for every cell, and for each that is set otherwise, by name.

    settings: mode, settle and params; configured: the same as crafty.toml has it; tuned: what admins changed, under ""
    for every cell; etag: changes with any of it.
    """

    rule: Rule
    settings: Mapping[str, Any]
    configured: Mapping[str, Any]
    cells: Mapping[str, Mapping[str, Any]]
    tuned: Mapping[str, Tuning]
    etag: str

    def elsewhere(self) -> Mapping[str, str]:
        """The mode of each cell that has another one than all cells."""
        return {cell: own["mode"] for cell, own in self.cells.items() if own["mode"] != self.settings["mode"]}


class StaleError(CraftyError):
    """Somebody else has changed it since it was read."""


class UnderWayError(CraftyError):
    """The work runs at this moment, or always comes again, and can't be dropped."""


class GoneError(CraftyError):
    """There is no such thing, or not any more."""


@dataclass(frozen=True)
class Steering:
    """Everything that admins change; all methods raise RedisAway when Redis can't be used."""

    redis: Any  # redis-py types each answer as awaitable or not, whatever the client
    clock: Clock
    current: Current
    cells: tuple[str, ...]

    async def rules(self) -> list[RuleSettings]:
        """All rules as they are set now, by name."""
        await self.current.reload()
        return [self._settings_of(rule) for rule in self.current.book.rules]

    async def rule(self, name: str) -> RuleSettings:
        """One rule as it is set now; raises GoneError for one that there is not."""
        await self.current.reload()
        return self._settings_of(self._rule(name))

    async def tune(
        self, name: str, cell: str, wish: Mapping[str, Any], by: Actor, *, expected: str | None = None
    ) -> RuleSettings:
        """Sets a rule, in one cell or under "" in all; it holds for the next event and the next effect everywhere.

        wish: as in `changed`; expected: the etag that the caller saw. Raises GoneError for an unknown rule,
        CannotTuneError, and StaleError where the rule is not as expected.
        """
        if cell and cell not in self.cells:
            raise CannotTuneError(Mistake("cell", f"{cell} is not a cell{did_you_mean(cell, self.cells)}"))
        for _ in range(_ATTEMPTS):
            found = await self.rule(name)
            if expected not in {None, found.etag}:
                break
            after = {**found.tuned, cell: changed(found.tuned.get(cell, Tuning()), wish, found.rule)}
            kept = {where: tuning for where, tuning in after.items() if tuning != Tuning()}
            if kept == found.tuned or await self._tune(found, cell, kept, by):
                return await self.rule(name)
        raise StaleError("somebody has changed this rule in the meantime; look at it again, then change it")

    async def jobs(self, state: State, first: int, limit: int) -> list[Job]:
        """Outgoing work in a state, `limit` pieces from the position `first`: what is due soonest comes first, and of
        what was given up the latest.
        """
        now = self.clock().timestamp() * 1000
        async with redis_or_away():
            match state:
                case "failed":
                    read = self.redis.zrevrangebyscore(f"{PREFIX}failed", "+inf", "-inf", first, limit, withscores=True)
                case "queued":
                    read = self.redis.zrangebyscore(f"{PREFIX}due", "-inf", now, first, limit, withscores=True)
                case "deferred":
                    read = self.redis.zrangebyscore(f"{PREFIX}due", f"({now}", "+inf", first, limit, withscores=True)
            return [await self._job(name.decode(), state, due) for name, due in await read]

    async def job(self, key: str) -> Job:
        """One piece of outgoing work; raises GoneError where there is none of that id."""
        async with redis_or_away():
            for name in ("failed", "due"):
                due = await self.redis.zscore(f"{PREFIX}{name}", key)
                if due is not None:
                    return await self._job(key, self._state_of(name, due), due)
        raise GoneError(f"there is no job {key}, or it is done")

    async def counts(self) -> dict[State, int]:
        """How much outgoing work there is in each state."""
        now = self.clock().timestamp() * 1000
        async with redis_or_away(), self.redis.pipeline(transaction=False) as pipe:
            pipe.zcount(f"{PREFIX}due", "-inf", now).zcount(f"{PREFIX}due", f"({now}", "+inf").zcard(f"{PREFIX}failed")
            queued, deferred, failed = await pipe.execute()
        return {"queued": queued, "deferred": deferred, "failed": failed}

    async def retry(self, key: str, by: Actor) -> None:
        """Does a piece of work at once, however often it failed; raises GoneError, or UnderWayError while it runs."""
        await self._steer("retry", await self.job(key), by)

    async def retry_all(self, by: Actor) -> int:
        """Does everything at once that was given up; how many pieces of work that were."""
        async with redis_or_away():
            keys: list[bytes] = await self.redis.zrange(f"{PREFIX}failed", 0, -1)
        for key in keys:
            with suppress(GoneError, UnderWayError):  # somebody else was faster
                await self.retry(key.decode(), by)
        return len(keys)

    async def drop(self, key: str, by: Actor) -> None:
        """Takes a piece of work away for good; raises GoneError, or UnderWayError where that can't be."""
        job = await self.job(key)
        if job.kind in PERIODIC:
            raise UnderWayError(f"{key} comes again by itself and can't be dropped")
        await self._steer("drop", job, by)

    async def audit(self, before: str = "+", limit: int = 100) -> list[tuple[str, Change]]:
        """The newest lines of the audit log with their ids, newest first; before: the id of the last one seen."""
        async with redis_or_away():
            rows = await self.redis.xrevrange(
                f"{PREFIX}audit", max=before if before == "+" else f"({before}", count=limit
            )
        return [(name.decode(), msgspec.json.decode(fields[b"change"], type=Change)) for name, fields in rows]

    async def note(self, what: str, by: Actor, after: Any = None) -> None:
        """Writes a line into the audit log for a deed that was done elsewhere."""
        async with redis_or_away():
            await self.redis.xadd(
                f"{PREFIX}audit", {"change": msgspec.json.encode(self._change(what, by, after=after))}
            )

    def _rule(self, name: str) -> Rule:
        rule = self.current.book.rule(name)
        if rule is None:
            raise GoneError(
                f"there is no rule {name}; the rules are {', '.join(r.name for r in self.current.book.rules)}"
            )
        return rule

    def _settings_of(self, rule: Rule) -> RuleSettings:
        book, configured = self.current.book, self.current.configured
        usual = shown(book.setting(rule.name, ""))
        own = {cell: shown(book.setting(rule.name, cell)) for cell in self.cells}
        tuned = self.current.tunings.get(rule.name, {})
        return RuleSettings(
            rule=rule,
            settings=usual,
            configured=shown(configured.setting(rule.name, "")),
            cells={cell: setting for cell, setting in own.items() if setting != usual or cell in tuned},
            tuned=tuned,
            etag=hashlib.sha256(msgspec.json.encode((usual, own, tuned), order="sorted")).hexdigest()[:16],
        )

    async def _tune(self, found: RuleSettings, cell: str, kept: Mapping[str, Tuning], by: Actor) -> bool:
        """Whether it was still as found, and is set now."""
        change = self._change(
            f"rule {found.rule.name}{f' in {cell}' if cell else ''}",
            by,
            found.tuned.get(cell, Tuning()),
            kept.get(cell, Tuning()),
        )
        async with redis_or_away():
            stored = await self.redis.hget(f"{PREFIX}tunings", found.rule.name)
            if stored and msgspec.json.decode(stored, type=dict[str, Tuning]) != found.tuned:
                return False
            call = {
                "rule": found.rule.name,
                "before": (stored or b"").decode(),
                "after": msgspec.json.encode(kept).decode(),
                "change": msgspec.json.encode(change).decode(),
                "wishes": [sweep(one, self.clock()) for one in self._concerned(cell)],
                "now": int(self.clock().timestamp() * 1000),
            }
            return bool(await self._run("tune", call))

    def _concerned(self, cell: str) -> Iterable[str]:
        return [cell] if cell else self.cells

    async def _steer(self, deed: str, job: Job, by: Actor) -> None:
        change = msgspec.json.encode(self._change(f"{deed} job {job.id}", by, before=job.state)).decode()
        call = {"deed": deed, "key": job.id, "now": int(self.clock().timestamp() * 1000), "change": change}
        async with redis_or_away():
            answer = await self._run("steer", call)
        if answer == b"gone":
            raise GoneError(f"there is no job {job.id}, or it is done")
        if answer == b"running":
            raise UnderWayError(f"{job.id} is under way at this moment; look again in a minute")

    async def _run(self, name: str, call: Mapping[str, Any]) -> Any:
        return await self.redis.eval(script(name), 0, msgspec.json.encode(call))

    def _change(self, what: str, by: Actor, before: Any = None, after: Any = None) -> Change:
        return Change(at=self.clock(), who=by.name, origin=by.origin, what=what, before=before, after=after)

    def _state_of(self, name: str, due: float) -> State:
        if name == "failed":
            return "failed"
        return "queued" if due <= self.clock().timestamp() * 1000 else "deferred"

    async def _job(self, key: str, state: State, due: float) -> Job:
        raw = await self.redis.hgetall(f"{PREFIX}work:{key}")
        record = {name.decode(): value.decode() for name, value in raw.items()}
        return Job(
            id=key,
            state=state,
            kind=record.get("kind", ""),
            rule=record.get("rule", ""),
            subject=record.get("subject", ""),
            due=datetime.fromtimestamp(due / 1000, UTC),
            tries=int(record.get("tries", 0)),
            error=record.get("error", ""),
            payload=msgspec.json.decode(record.get("payload") or "null"),
        )


def steering(redis: Redis, clock: Clock, current: Current, cells: Iterable[str]) -> Steering:
    """The same on that Redis. cells: the names of those that are configured."""
    return Steering(redis, clock, current, tuple(cells))
