"""Deliveries come in while something befalls the processes; then it is counted what became of each."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

import httpx
from redis.asyncio import Redis

from chaos.cast import ahead_of
from chaos.house import PROMISED_SECONDS, Fsync, House, is_settled_within, open_house
from chaos.post import ID
from chaos.process import Part
from chaos.report import Found
from chaos.stored import Stored, read_all
from chaos.stories import Story
from chaos.world import World

SLACK_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 5.0
"""How long a delivery may be answered after it was stored."""
CALL_SECONDS: Final = 1.0
"""How long a call to Jira that was under way may go on when Redis is gone."""

Ordeal = Callable[[House, Random], Coroutine[None, None, Found]]
"""What befalls a house while people work, as chance draws it."""


@dataclass(frozen=True)
class Plan:
    """How much happens.

    deliveries: that people cause; seconds: within what time; patience: seconds until everything has to be settled;
    lease: seconds of a worker's lease.
    """

    fsync: Fsync
    deliveries: int
    seconds: float
    patience: float
    lease: float


async def endure(ordeal: Ordeal, plan: Plan, seed: int, folder: Path) -> Found:
    """Plays the plan in an empty folder, as chance draws it by the seed, while the ordeal befalls the processes."""
    chance, ahead = Random(seed), ahead_of(datetime.now(UTC))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        world = World(ahead, client, chance, plan.deliveries, plan.seconds)
        await world.prepare()
        environ = await world.serve(stack, folder)
        part = Part(ahead=ahead, lease=plan.lease)
        house = await stack.enter_async_context(open_house(folder, plan.fsync, part, environ))
        _, befell = await asyncio.gather(world.play(house.urls), ordeal(house, chance))
        redis = Redis.from_url(house.store.url)
        stack.push_async_callback(redis.aclose)
        is_settled = await _is_settled(plan.patience, world, redis)
        cases = {"not settled in time": [] if is_settled else [f"{plan.patience:.0f} seconds were not enough"]}
        stored = await read_all(redis, world.clock)
    facts = _facts(plan, world, house, stored, befell.facts)
    return Found(facts, {**befell.cases, **cases, **_cases(plan, world, house, stored)})


async def _is_settled(seconds: float, world: World, redis: Redis) -> bool:
    """Whether within that time all is accepted, and all that follows is done."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await world.postman.all_accepted()
            is_settled = await is_settled_within(seconds, redis, world.clock)
            await world.postman.all_accepted()  # what Crafty wrote last is told of, too
            return is_settled
    return False


def _facts(plan: Plan, world: World, house: House, stored: Stored, befell: Mapping[str, int]) -> dict[str, int]:
    lost = _lost(world, stored)
    explained = [name for name in lost if _is_explained(world.postman.accepted[name], house, plan.fsync)]
    forgotten = _half_done(world, house, plan.fsync) & dict(_missing(world, _subjects(world, lost))).keys()
    with_the_second = {"lost with the last second": len(explained), "half done and forgotten with it": len(forgotten)}
    return {
        "deliveries": len(world.postman.deliveries),
        "requests, with every retry": world.postman.attempts,
        "requests refused with 503": world.postman.refused,
        **befell,
        "restarts": sum(one.starts - 1 for one in house.victims),
        "effects called for": _called(world),
        **(with_the_second if plan.fsync == "everysec" else {}),
    }


def _cases(plan: Plan, world: World, house: House, stored: Stored) -> dict[str, list[str]]:
    """By promise, each case in which it was broken."""
    post, written = world.postman, world.written()
    lost, half_done = _lost(world, stored), _half_done(world, house, plan.fsync)
    return {
        "a process fell by itself": [one.role for one in house.victims if one.starts - 1 > len(one.kills)],
        "never accepted": [str(one.headers[ID]) for one in post.deliveries if one.headers[ID] not in post.accepted],
        "lost": [name for name in lost if not _is_explained(post.accepted[name], house, plan.fsync)],
        "accepted anew": [name for name in post.taken_twice if name not in lost],
        "missing": [what for key, what in _missing(world, _subjects(world, lost)) if key not in half_done],
        "doubled": [f"{key} is there {count} times" for key, count in written.items() if count > 1],
        "uncalled for": list(_uncalled(world, written)),
        **stored.cases,
    }


def _lost(world: World, stored: Stored) -> list[str]:
    """The deliveries that were accepted and are not stored."""
    return [name for name in world.postman.accepted if name not in stored.records]


def _subjects(world: World, lost: list[str]) -> set[str]:
    """The tickets that lost deliveries tell of."""
    names = frozenset(lost)
    told = (delivery for delivery in world.postman.deliveries if delivery.headers[ID] in names)
    return {delivery.payload.get("issue", {}).get("key", "") for delivery in told}


def _is_explained(at: float, house: House, fsync: Fsync, late: float = ANSWER_SECONDS) -> bool:
    """Whether the power went within the promised second after it was stored, or so many seconds before it was seen."""
    early = PROMISED_SECONDS + SLACK_SECONDS
    return fsync == "everysec" and any(cut - early <= at <= cut + late for cut in house.store.kills)


def _called(world: World) -> int:
    return sum(story.called().total() + (story.kind == "late") for story in world.stories)


def _half_done(world: World, house: House, fsync: Fsync) -> set[str]:
    """The tickets that Crafty moved just before it forgot why: what else it wanted there is called for no more."""
    return {
        story.key
        for story in world.stories
        if any(_is_explained(moved, house, fsync, CALL_SECONDS) for moved in world.moves_of(story))
    }


def _missing(world: World, excused: set[str]) -> Iterator[tuple[str, str]]:
    """Each ticket with what had to be done and is not, but for those of which Crafty heard less than was told."""
    written = world.written()
    for story in world.stories:
        if story.key in excused:
            continue
        yield from ((story.key, what) for what in story.called() - written)
        sprint, moves = world.sprint_of(story), len(world.moves_of(story))
        if sprint != story.sprint or not story.moves(moves):
            yield story.key, f"{story.key} ({story.kind}) is in sprint {sprint}, moved {moves} times"


def _uncalled(world: World, written: Counter[str]) -> Iterator[str]:
    """What Crafty wrote though nothing called for it."""
    stories: dict[str, Story] = {story.key: story for story in world.stories}
    for key in written:
        subject = key.split(":")[1]
        if subject not in stories or not stories[subject].allowed(key):
            yield key
