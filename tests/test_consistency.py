"""The checker names what is wrong in a ledger, and only that; it finds nothing in one that is well."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from service import demo
from service.consistency import examine, found, read
from service.demo.stage import stage
from service.engine import Decision
from service.errors import CannotAct
from service.ledger import Delivery, Ledger
from service.queue import LEASE, Taken, look, look_again
from service.rules._base import Verdict
from service.steering import Actor, steering
from tests.builders import CONFIG, SAM
from tests.conftest import SetClock
from tests.test_cli import crafty as command
from tests.test_jobs import NOW, RULE, Crafty, ask, crafty, digest, tell

__all__ = ["crafty"]

TOLD = f"{RULE}:SE-1:sprint-41:notify:@bob"
LIST = f"{RULE}:*:s:digest:@sam"
DUE = f"look:{RULE}:SE-2"

PLAYED = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
DEMO = Path(demo.__file__).parent / "crafty.toml"

Plant = Callable[[Any], Awaitable[object]]


async def taken(on: Crafty, name: str = "d-1", subject: str = "SE-1") -> None:
    """A delivery comes in, on which the rule acts."""
    decision = Decision(
        rule=RULE, subject=subject, cell="Serenity", mode="on", outcome="act", reason="no reviewer", facts={}
    )
    delivery = Delivery(id=name, source="jira", event="jira:issue_updated", subject=subject, received=on.clock())
    wish = look(decision, on.clock(), timedelta(0))
    version = (await on.ledger.site())[1]
    assert (
        await on.queue.ingest(Taken(delivery=delivery, marks=[name], decisions=[decision], looks=[wish]), version)
        is None
    )


@pytest.fixture
async def well(crafty: Crafty, clock: SetClock) -> Crafty:
    """A ledger with something of everything.

    A comment that asks, a message, a list to be sent tomorrow, a dead letter, and a look that waits for its moment.
    """
    await taken(crafty, "d-0", "SE-9")
    await crafty.work_off()
    clock.advance(minutes=1)
    await taken(crafty)
    crafty.verdict = Verdict.act("it is wanted", ask(), tell(), digest(clock() + timedelta(days=1)))
    await crafty.work_off()
    crafty.chat.faults.append(CannotAct("no such person"))
    await crafty.look(Verdict.act("it is wanted", tell(SAM)))
    await crafty.queue.want(look_again(RULE, "SE-2", clock() + timedelta(hours=1)))
    return crafty


async def named(on: Crafty) -> list[tuple[str, str]]:
    return [(one.kind, one.about) for one in await examine(on.redis, on.clock)]


async def test_a_ledger_that_is_well_is_consistent(well: Crafty) -> None:
    assert await named(well) == []
    assert await well.dead_letters() == [f"{RULE}:SE-1:sprint-41:notify:@sam"]


def entry_of(effect: dict[str, str]) -> str:
    return json.dumps(
        {"at": (NOW + timedelta(hours=1)).isoformat(), "subject": "SE-1", "stage": "effect", "effect": effect}
    )


DONE_AGAIN = entry_of({"rule": RULE, "kind": "notify", "target": "@bob", "result": "done", "reason": "told Bob"})
FAILED = f"{RULE}:SE-1:sprint-41:notify:@sam"


async def forget(redis: Redis, *words: str) -> None:
    """Takes the entries with all these words off the timeline."""
    store: Any = redis
    rows = await store.xrange("crafty:timeline")
    for row, entry in await Ledger(redis).told_in(rows, subject=None):
        if all(word in msgspec.json.encode(entry).decode() for word in words):
            await store.xdel("crafty:timeline", row)


async def forget_message(redis: Redis) -> None:
    """Neither the timeline nor the ledger knows of any effect any more."""
    await forget(redis, "SE-1", '"effect":{')
    await redis.delete(f"crafty:done:{TOLD}")


PLANTED: dict[str, tuple[Plant, list[tuple[str, str]]]] = {
    "work without a moment": (lambda redis: redis.zrem("crafty:due", DUE), [("lost", DUE)]),
    "a dead letter that nobody sees": (lambda redis: redis.zrem("crafty:failed", FAILED), [("lost", FAILED)]),
    "a message that was neither sent nor is to be": (
        forget_message,
        [("lost", TOLD)],
    ),
    "an event that nobody looked at": (
        lambda redis: forget(redis, "SE-1", '"stage":"look"'),
        [("lost", f"look:{RULE}:SE-1")],
    ),
    "a delivery that is not stored": (lambda redis: redis.delete("crafty:delivery:d-1"), [("lost", "d-1")]),
    "a delivery that was never decided on": (
        lambda redis: forget(redis, '"delivery":"d-1"'),
        [("lost", "d-1")],
    ),
    "a comment that is asked for and never written": (
        lambda redis: redis.hset(f"crafty:case:{RULE}:SE-3", "open", "1"),
        [("lost", f"{RULE}:SE-3")],
    ),
    "a message that was sent twice": (
        lambda redis: redis.xadd("crafty:timeline", {"entry": DONE_AGAIN}),
        [("double", TOLD)],
    ),
    "a moment without work": (lambda redis: redis.zadd("crafty:due", {"look:x:SE-5": 1}), [("orphan", "look:x:SE-5")]),
    "a dead letter without work": (
        lambda redis: redis.zadd("crafty:failed", {"look:x:SE-5": 1}),
        [("orphan", "look:x:SE-5")],
    ),
    "a dead letter that is to be done": (
        lambda redis: redis.zadd("crafty:due", {FAILED: 9e12}),
        [("orphan", FAILED)],
    ),
    "work that is said to be given up": (
        lambda redis: redis.zadd("crafty:failed", {DUE: 1}),
        [("orphan", DUE)],
    ),
    "a list that nobody sends": (
        lambda redis: redis.hset(f"crafty:lines:{RULE}:*:t:digest:@sam", "x", "{}"),
        [("orphan", f"{RULE}:*:t:digest:@sam")],
    ),
    "a comment on its way that nobody writes": (
        lambda redis: redis.hset(f"crafty:case:{RULE}:SE-1", "writing", "gone"),
        [("orphan", f"{RULE}:SE-1")],
    ),
    "a case that is listed and does not ask": (
        lambda redis: redis.sadd("crafty:open", f"{RULE}:SE-4"),
        [("orphan", f"{RULE}:SE-4")],
    ),
}


@pytest.mark.parametrize("what", PLANTED)
async def test_what_is_planted_is_named_and_nothing_else(well: Crafty, what: str) -> None:
    plant, expected = PLANTED[what]
    await plant(well.redis)
    assert await named(well) == expected


async def test_a_digest_that_is_lost_with_its_lines_is_named(well: Crafty) -> None:
    await well.redis.delete(f"crafty:work:{LIST}", f"crafty:lines:{LIST}")
    await well.redis.zrem("crafty:due", LIST)
    assert await named(well) == [("lost", LIST)]


async def test_work_whose_worker_is_gone_is_named_once_its_lease_is_long_over(well: Crafty, clock: SetClock) -> None:
    clock.advance(hours=1)
    await well.queue.release(1)
    clock.advance(minutes=3)
    assert await named(well) == []
    clock.now += LEASE
    assert await named(well) == [("orphan", DUE)]


async def test_what_admins_have_dropped_is_not_lost(well: Crafty, redis: Redis) -> None:
    admin = steering(redis, well.clock, well.current, ["Serenity"])
    for key in (FAILED, LIST, DUE):
        await admin.drop(key, Actor("ada", "cli"))
    assert await named(well) == []


async def test_what_settles_between_two_readings_does_not_count(well: Crafty, redis: Redis, redis_url: str) -> None:
    await redis.zadd("crafty:due", {"look:x:SE-5": 1})
    readings = []

    def looked_at() -> datetime:
        """The second time, the other half of a step has happened."""
        readings.append(well.clock())
        if len(readings) == 2:
            with SyncRedis.from_url(redis_url) as other:
                other.zrem("crafty:due", "look:x:SE-5")
        return well.clock()

    assert [one.about for one in found(await read(redis, well.clock()))] == ["look:x:SE-5"]
    assert await examine(redis, looked_at) == ()


async def test_a_played_ledger_is_consistent() -> None:
    async with stage(PLAYED, DEMO) as on:
        for name in ("ann", "bob", "sam", "fay", "finn"):
            on.jira.add_person(f"acc-{name}", name)
            on.chat.add_person(name, name)
        await on.jira.create_sprint(41, "SE Sprint 41", board=12)
        await on.jira.start_sprint(41)
        await on.jira.create_issue("SE-1", "acc-sam", sprint=41, assignee="acc-ann", status="Need Review")
        await on.jira.create_issue("SE-2", "acc-ann", summary="A late one")
        await on.jira.move("SE-2", 41, "acc-ann")
        async for _ in on.moments(PLAYED + timedelta(minutes=30)):
            pass
        assert len(on.jira.comments("SE-1")) == len(on.jira.comments("SE-2")) == 1
        assert await examine(on.redis, on.clock) == ()


# The command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crafty.toml").write_text(CONFIG)
    return tmp_path


async def test_the_command_says_that_all_is_well(redis: Redis, redis_url: str, folder: Path) -> None:
    shown = command(folder, "check", environ={"CRAFTY_REDIS_URL": redis_url})
    assert (shown.returncode, shown.stdout) == (0, "All that is stored is consistent.\n")


async def test_the_command_names_what_is_wrong_and_fails(redis: Redis, redis_url: str, folder: Path) -> None:
    await redis.zadd("crafty:due", {"look:x:[SE-5]": 1})
    environ = {"CRAFTY_REDIS_URL": redis_url}
    shown, told = command(folder, "check", environ=environ), command(folder, "check", "--json", environ=environ)
    assert (shown.returncode, told.returncode) == (1, 1)
    assert "look:x:[SE-5]" in shown.stdout
    assert json.loads(told.stdout) == {
        "ok": False,
        "found": [
            {
                "kind": "orphan",
                "about": "look:x:[SE-5]",
                "what": "a moment is set for this work, of which there is no record",
            }
        ],
    }
