"""Deliveries come in while processes are killed at random moments; then it is counted what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
from redis.asyncio import Redis

from chaos.cast import ahead_of
from chaos.house import PROMISED_SECONDS, Fsync, House, Role, is_settled_within, open_house
from chaos.post import ID
from chaos.process import Part
from chaos.report import Report, report
from chaos.stories import Story
from chaos.world import World
from service.consistency import Inconsistency, examine
from service.ledger import PREFIX, Delivery, Ledger

SLACK_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 5.0
_TURNS: Final[tuple[Role, ...]] = ("redis", "api", "worker", "api", "worker")


_BATCH: Final = 500


@dataclass(frozen=True)
class Plan:
    """How much happens.

    deliveries: that people cause; seconds: within what time; every: seconds between two kills, on average; patience:
    seconds until everything has to be settled; lease: seconds of a worker's lease.
    """

    fsync: Fsync
    deliveries: int
    seconds: float
    every: float
    patience: float
    lease: float

    @property
    def title(self) -> str:
        whom = (
            "API, workers and Redis are killed" if self.fsync == "always" else "The same, and each time the power goes"
        )
        return f"{whom} (appendfsync {self.fsync})"


@dataclass
class Stored:
    """What Redis holds in the end. decided: the ids of deliveries that are on the timeline."""

    records: dict[str, Delivery] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    dead_letters: list[str] = field(default_factory=list)
    inconsistent: tuple[Inconsistency, ...] = ()


async def storm(plan: Plan, seed: int, folder: Path) -> Report:
    """Plays the plan in an empty folder, as chance draws it by the seed."""
    began, chance, ahead = time.monotonic(), Random(seed), ahead_of(datetime.now(UTC))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        world = World(ahead, client, chance, plan.deliveries, plan.seconds)
        await world.prepare()
        environ = await world.serve(stack, folder)
        part = Part(ahead=ahead, lease=plan.lease)
        house = await stack.enter_async_context(open_house(folder, plan.fsync, part, environ))
        await asyncio.gather(world.play(house.urls), _strike(house, plan, chance))
        redis = Redis.from_url(house.store.url)
        stack.push_async_callback(redis.aclose)
        is_settled = await _is_settled(plan.patience, world, redis)
        cases = {"not settled in time": [] if is_settled else [f"{plan.patience:.0f} seconds were not enough"]}
        stored = await _stored(redis, world)
    facts, cases = _facts(plan, world, house, stored), cases | _cases(plan, world, house, stored)
    return report(plan.title, facts, cases, began)


async def _strike(house: House, plan: Plan, chance: Random) -> None:
    """Kills one process after the other, at moments that chance draws, as long as people work."""
    count = round(plan.seconds / plan.every)
    moments = sorted(chance.uniform(0, plan.seconds) for _ in range(count))
    roles: list[Role] = [_TURNS[number % len(_TURNS)] for number in range(count)]
    chance.shuffle(roles)
    began = time.monotonic()
    for at, role in zip(moments, roles, strict=True):
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        chance.choice([victim for victim in house.victims if victim.role == role]).kill()


async def _is_settled(seconds: float, world: World, redis: Redis) -> bool:
    """Whether within that time all is accepted, and all that follows is done."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await world.postman.all_accepted()
            is_settled = await is_settled_within(seconds, redis, world.clock)
            await world.postman.all_accepted()  # what Crafty wrote last is told of, too
            return is_settled
    return False


def _facts(plan: Plan, world: World, house: House, stored: Stored) -> dict[str, int]:
    explained = [
        name for name in _lost(world, stored) if _is_explained(world.postman.accepted[name], house, plan.fsync)
    ]
    kills = {role: sum(len(one.kills) for one in house.victims if one.role == role) for role in sorted(set(_TURNS))}
    return {
        "deliveries": len(world.postman.deliveries),
        "requests, with every retry": world.postman.attempts,
        **{f"kills: {role}": count for role, count in kills.items()},
        "restarts": sum(one.starts - 1 for one in house.victims),
        "effects called for": _called(world),
        **({"lost with the last second": len(explained)} if plan.fsync == "everysec" else {}),
    }


def _cases(plan: Plan, world: World, house: House, stored: Stored) -> dict[str, list[str]]:
    """By promise, each case in which it was broken."""
    post, written = world.postman, world.written()
    lost = _lost(world, stored)
    return {
        "a process fell by itself": [one.role for one in house.victims if one.starts - 1 > len(one.kills)],
        "never accepted": [str(one.headers[ID]) for one in post.deliveries if one.headers[ID] not in post.accepted],
        "lost": [name for name in lost if not _is_explained(post.accepted[name], house, plan.fsync)],
        "accepted anew": [name for name in post.taken_twice if name not in lost],
        "undecided": [name for name, one in stored.records.items() if one.subject and name not in stored.decided],
        "missing": list(_missing(world, written, _subjects(world, lost))),
        "doubled": [f"{key} is there {count} times" for key, count in written.items() if count > 1],
        "uncalled for": list(_uncalled(world, written)),
        "dead letters": stored.dead_letters,
        "inconsistent": [f"{one.kind} {one.about}: {one.what}" for one in stored.inconsistent],
    }


def _lost(world: World, stored: Stored) -> list[str]:
    """The deliveries that were accepted and are not stored."""
    return [name for name in world.postman.accepted if name not in stored.records]


async def _stored(redis: Any, world: World) -> Stored:
    letters = [key.decode() for key in await redis.zrange(f"{PREFIX}failed", 0, -1)]
    stored = Stored(dead_letters=letters, inconsistent=await examine(redis, world.clock))
    ledger = Ledger(redis)
    rows = await redis.xrange(f"{PREFIX}timeline")
    for start in range(0, len(rows), _BATCH):
        told = await ledger.told_in(rows[start : start + _BATCH], subject=None)
        stored.decided |= {entry.delivery for _, entry in told if entry.delivery}
    for name in await redis.zrange(f"{PREFIX}deliveries", 0, -1):
        found = await ledger.delivery(name.decode())
        if found:
            stored.records[name.decode()] = found[0]
    return stored


def _subjects(world: World, lost: list[str]) -> set[str]:
    """The tickets that lost deliveries tell of."""
    names = frozenset(lost)
    told = (delivery for delivery in world.postman.deliveries if delivery.headers[ID] in names)
    return {delivery.payload.get("issue", {}).get("key", "") for delivery in told}


def _is_explained(accepted: float, house: House, fsync: Fsync) -> bool:
    """Whether the power went within the promised second after it was stored, or while it was being answered."""
    early, late = PROMISED_SECONDS + SLACK_SECONDS, ANSWER_SECONDS
    return fsync == "everysec" and any(cut - early <= accepted <= cut + late for cut in house.store.kills)


def _called(world: World) -> int:
    return sum(story.called().total() + (story.kind == "late") for story in world.stories)


def _missing(world: World, written: Counter[str], excused: set[str]) -> Iterator[str]:
    """What had to be done and is not, but for tickets of which Crafty heard less than was told."""
    for story in world.stories:
        if story.key in excused:
            continue
        yield from story.called() - written
        sprint, moves = world.sprint_of(story), world.moves_of(story)
        if sprint != story.sprint or not story.moves(moves):
            yield f"{story.key} ({story.kind}) is in sprint {sprint}, moved {moves} times"


def _uncalled(world: World, written: Counter[str]) -> Iterator[str]:
    """What Crafty wrote though nothing called for it."""
    stories: dict[str, Story] = {story.key: story for story in world.stories}
    for key in written:
        subject = key.split(":")[1]
        if subject not in stories or not stories[subject].allowed(key):
            yield key
