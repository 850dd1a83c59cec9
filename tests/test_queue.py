"""The queue on a real Redis: what is stored with a delivery, and that each record is worked on once, and never lost."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from redis.asyncio import Redis

from service import store
from service.actions import Comment, Digest, EditComment, MoveToBacklog, Recheck
from service.engine import Decision, Mode
from service.errors import RedisAway
from service.ledger import FORMAT, Case, Delivery, Entry, Ledger, Site, kept_as
from service.queue import (
    ARQ_QUEUE,
    LEASE,
    Queue,
    Result,
    StaleRules,
    Taken,
    Wish,
    Work,
    look,
    look_again,
    look_key,
    next_look,
    perform,
    site,
)
from service.rules._base import Outcome
from service.texts import Message, item, paragraph, small
from tests.builders import SAM
from tests.conftest import SetClock

RULE = "missing-reviewer"
LOOK = look_key(RULE, "SE-1")
SETTLE = timedelta(minutes=2)
NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)


@pytest.fixture
def queue(redis: Redis, clock: SetClock) -> Queue:
    return Queue(redis, clock)


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return Ledger(redis)


def decision(outcome: Outcome = "act", subject: str = "SE-1", mode: Mode = "on") -> Decision:
    return Decision(
        rule=RULE, subject=subject, cell="Serenity", mode=mode, outcome=outcome, reason="because", facts={"status": "x"}
    )


def taken(
    name: str = "d-1",
    *,
    marks: Sequence[str] = (),
    looks: Sequence[Wish] = (),
    decisions: Sequence[Decision] = (),
    outdated: Sequence[str] = (),
    subject: str | None = "SE-1",
) -> Taken:
    delivery = Delivery(id=name, source="jira", event="jira:issue_updated", subject=subject, received=NOON)
    return Taken(
        delivery=delivery,
        body=b"packed\x00bytes",
        marks=marks or [f"jira::{name}"],
        decisions=decisions,
        looks=looks,
        outdated=outdated,
    )


def comment(state: str = "missing") -> Comment:
    return Comment(ticket="SE-1", occasion="sprint-41", state=state, message=Message((paragraph("Who reviews it?"),)))


def digest(line: str, at: datetime) -> Digest:
    return Digest(
        person=SAM,
        occasion="sprint-42",
        intro=paragraph("These tickets are not ready:"),
        line=item(line),
        footer=small("Crafty"),
        at=at,
    )


async def field(redis: Any, name: str, of: str) -> bytes | None:
    """One field of a stored hash."""
    value: bytes | None = await redis.hget(f"crafty:{name}", of)
    return value


async def leases(redis: Redis) -> list[tuple[str, str]]:
    """The keys and tokens that arq's workers would take up, oldest first; they are gone afterwards."""
    names: list[bytes] = await redis.zrange(ARQ_QUEUE, 0, -1)
    await redis.delete(ARQ_QUEUE)
    return [(key, token) for key, _, token in (name.decode().rpartition("@") for name in names)]


async def claimed(queue: Queue, redis: Redis) -> list[Work]:
    """Releases what is due and starts it, as a worker does."""
    await queue.release(100)
    works = await asyncio.gather(*(queue.claim(key, token) for key, token in await leases(redis)))
    return [work for work in works if work]


async def only(queue: Queue, redis: Redis) -> Work:
    (work,) = await claimed(queue, redis)
    return work


# Ingest


async def test_a_delivery_is_stored_whole(queue: Queue, ledger: Ledger) -> None:
    decided = decision()
    given_delivery = taken(decisions=[decided], looks=[look(decided, NOON, SETTLE)])
    assert await queue.ingest(given_delivery, "0") is None
    assert await ledger.delivery("d-1") == (given_delivery.delivery, b"packed\x00bytes")
    entry = Entry(
        at=NOON, subject="SE-1", stage="webhook", delivery="d-1", event="jira:issue_updated", decisions=(decided,)
    )
    assert await ledger.timeline("SE-1") == [entry]
    assert await ledger.timeline() == [entry]


async def test_a_delivery_of_no_concern_is_stored_without_a_timeline(queue: Queue, ledger: Ledger) -> None:
    assert await queue.ingest(taken(subject=None), "0") is None
    assert await ledger.delivery("d-1") is not None
    assert await ledger.timeline() == []


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        pytest.param(["id:1"], ["id:1"], True, id="the same mark"),
        pytest.param(["id:1", "body:x"], ["id:2", "body:x"], True, id="a new id and the same content"),
        pytest.param(["id:1", "body:x"], ["id:1", "body:y"], True, id="the same id and new content"),
        pytest.param(["id:1", "body:x"], ["id:2", "body:y"], False, id="nothing in common"),
    ],
)
async def test_one_mark_that_was_seen_makes_a_duplicate(
    queue: Queue, first: list[str], second: list[str], is_same: bool
) -> None:
    assert await queue.ingest(taken("d-1", marks=first), "0") is None
    assert await queue.ingest(taken("d-2", marks=second), "0") == ("d-1" if is_same else None)


async def contents(redis: Redis) -> dict[bytes, Any]:
    """All that is stored, byte by byte; lives of keys are not looked at."""
    return {key: await redis.dump(key) for key in await redis.keys("*")}


async def test_a_duplicate_changes_nothing(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.ingest(taken("d-1", marks=["m"]), "0")
    await redis.set("crafty:cache:sprints:12", "kept")
    before = await contents(redis)
    clock.advance(hours=1)
    again = taken("d-2", marks=["m", "n"], looks=[look(decision(), clock(), SETTLE)], outdated=["sprints:12"])
    assert await queue.ingest(again, "0") == "d-1"
    assert await contents(redis) == before


async def test_stale_rules_store_nothing_and_name_the_version(queue: Queue, ledger: Ledger, redis: Redis) -> None:
    await ledger.keep_site(Site(jira_bot=("acc-crafty",)))
    before = await contents(redis)
    with pytest.raises(StaleRules) as stale:
        await queue.ingest(taken(looks=[look(decision(), NOON, SETTLE)]), "0")
    assert stale.value.version == "1"
    assert await contents(redis) == before
    assert await queue.ingest(taken(), "1") is None


async def calls_of_scripts(redis: Any) -> int:
    stats = await redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


async def test_deliveries_that_come_together_are_stored_by_one_call_and_each_has_its_own_answer(
    queue: Queue, ledger: Ledger, redis: Redis
) -> None:
    await queue.ingest(taken("d-0"), "0")
    before = await calls_of_scripts(redis)
    looks = [look(decision(subject=f"SE-{number}"), NOON, SETTLE) for number in range(9)]
    together = [queue.ingest(taken(f"d-{number}", looks=looks), "0") for number in range(9)]
    answers = await asyncio.gather(*together, queue.ingest(taken("d-9"), "stale"), return_exceptions=True)
    assert answers[:9] == ["d-0", *[None] * 8]
    assert isinstance(answers[9], StaleRules)
    assert await calls_of_scripts(redis) == before + 1
    assert {one.id for one in await ledger.deliveries(0, 20)} == {f"d-{number}" for number in range(9)}


async def test_a_delivery_that_cannot_be_stored_fails_alone_and_may_come_again(
    queue: Queue, ledger: Ledger, redis: Redis
) -> None:
    await redis.set("crafty:timeline:SE-2", "no stream")
    names = {"d-1": "SE-1", "d-2": "SE-2", "d-3": "SE-3"}
    together = [queue.ingest(taken(name, subject=subject), "0") for name, subject in names.items()]
    first, second, third = await asyncio.gather(*together, return_exceptions=True)
    assert (first, type(second), third) == (None, RedisAway, None)
    assert await ledger.delivery("d-2") is None
    await redis.delete("crafty:timeline:SE-2")
    assert await queue.ingest(taken("d-2", subject="SE-2"), "0") is None


async def test_what_is_outdated_is_forgotten_and_the_rest_is_kept(queue: Queue, ledger: Ledger) -> None:
    await ledger.cache("sprints:12", b"old", 60)
    await ledger.cache("sprints:13", b"good", 60)
    await queue.ingest(taken(outdated=["sprints:12"]), "0")
    assert [await ledger.cached("sprints:12"), await ledger.cached("sprints:13")] == [None, b"good"]


@pytest.mark.parametrize(
    ("outcome", "rings"),
    [
        pytest.param("act", True, id="a planned look rings"),
        pytest.param("pass", False, id="without a look all sleep on"),
    ],
)
async def test_the_doorbell(queue: Queue, redis: Redis, outcome: Outcome, rings: bool) -> None:
    await queue.ingest(taken(looks=[look(decision(outcome), NOON, SETTLE)]), "0")
    assert bool(await redis.exists("crafty:doorbell")) is rings


async def test_a_bell_that_rang_before_ends_the_wait_at_once(queue: Queue) -> None:
    await queue.want(look_again(RULE, "SE-1", NOON))
    async with asyncio.timeout(30):
        await queue.ring(within=60)


# Looks: settle, and only where something is open


async def look_due(queue: Queue) -> datetime | None:
    """When the one record is due; nothing may be due yet."""
    released, following = await queue.release(1)
    assert released == 0
    return following


@pytest.mark.parametrize(
    ("minutes", "due"),
    [
        pytest.param([0], 2, id="one event settles"),
        pytest.param([0, 1], 3, id="a second one puts the look off"),
        pytest.param([0, 1.9, 3.8, 5.7, 7.6], 9.6, id="every change within the settle time puts it off"),
        pytest.param([0, 1.9, 3.8, 5.7, 7.6, 7.9], 9.9, id="just inside of five times"),
        pytest.param([0, 1.9, 3.8, 5.7, 7.6, 9.5], 10, id="never beyond five times"),
    ],
)
async def test_events_put_a_look_off_up_to_fivefold(
    queue: Queue, clock: SetClock, minutes: list[float], due: float
) -> None:
    start = clock()
    for number, minute in enumerate(minutes):
        clock.now = start + timedelta(minutes=minute)
        await queue.ingest(taken(f"d-{number}", looks=[look(decision(), clock(), SETTLE)]), "0")
    assert await look_due(queue) == start + timedelta(minutes=due)


async def test_a_burst_during_a_look_is_put_off_from_its_own_first_event(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.ingest(taken("d-0", looks=[look(decision(), clock(), SETTLE)]), "0")
    start = clock.advance(minutes=2)
    work = await only(queue, redis)
    await queue.ingest(taken("d-1", looks=[look(decision(), clock(), SETTLE)]), "0")
    await queue.finish(work, Result(ending="done"))
    for number in range(2, 9):
        clock.advance(minutes=1.25)
        await queue.ingest(taken(f"d-{number}", looks=[look(decision(), clock(), SETTLE)]), "0")
    assert await look_due(queue) == start + timedelta(minutes=10)


async def test_an_event_brings_a_planned_look_forward(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.finish(await only(queue, redis), Result(ending="waiting", due=clock() + timedelta(days=3)))
    assert await look_due(queue) == clock() + timedelta(days=3)
    await queue.ingest(taken(looks=[look(decision(), clock(), SETTLE)]), "0")
    assert await look_due(queue) == clock() + SETTLE


@pytest.mark.parametrize(
    ("outcome", "hours", "due"),
    [
        pytest.param("pass", None, timedelta(hours=72), id="a pass"),
        pytest.param("wait", 72, timedelta(hours=72), id="a wait for that moment"),
        pytest.param("wait", 73, timedelta(hours=72), id="a wait for a later one"),
        pytest.param("wait", 71, timedelta(hours=71), id="a wait for an earlier one"),
        pytest.param("wait", None, SETTLE, id="a wait for facts that are not known"),
        pytest.param("act", 73, SETTLE, id="an act"),
    ],
)
async def test_a_look_that_is_planned_in_time_is_left_alone(
    queue: Queue, redis: Redis, clock: SetClock, outcome: Outcome, hours: int | None, due: timedelta
) -> None:
    planned = clock() + timedelta(hours=72)
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.finish(await only(queue, redis), Result(ending="waiting", due=planned))
    again = () if hours is None else (Recheck(subject="SE-1", at=clock() + timedelta(hours=hours)),)
    told = msgspec.structs.replace(decision(outcome), actions=again)
    await queue.ingest(taken(looks=[look(told, clock(), SETTLE)]), "0")
    assert await look_due(queue) == clock() + due


@pytest.mark.parametrize(
    ("is_open", "due"),
    [
        pytest.param(None, timedelta(hours=20), id="without a comment"),
        pytest.param(False, timedelta(hours=20), id="with a comment that is content"),
        pytest.param(True, SETTLE, id="with a comment that asks"),
    ],
)
async def test_what_waits_for_a_moment_is_looked_at_then(
    queue: Queue, redis: Redis, clock: SetClock, is_open: bool | None, due: timedelta
) -> None:
    if is_open is not None:
        await finish_comment(queue, redis, is_open)
    again = (Recheck(subject="SE-1", at=clock() + timedelta(hours=20)),)
    told = msgspec.structs.replace(decision("wait"), actions=again)
    await queue.ingest(taken(looks=[look(told, clock(), SETTLE)]), "0")
    assert await look_due(queue) == clock() + due
    soon = taken("d-2", looks=[look(decision(), clock(), SETTLE)])
    await queue.ingest(soon, "0")
    assert await look_due(queue) == clock() + SETTLE


async def test_a_pass_without_anything_open_wakes_nobody(queue: Queue) -> None:
    await queue.ingest(taken(looks=[look(decision("pass"), NOON, SETTLE)]), "0")
    assert await queue.release(1) == (0, None)


async def finish_comment(queue: Queue, redis: Redis, is_open: bool) -> None:
    case = Case(rule=RULE, subject="SE-1", comment="7", occasion="sprint-41", state="x", at=NOON, turns=0, open=is_open)
    await queue.want(look_again(RULE, "SE-1", NOON))
    await queue.finish(await only(queue, redis), Result(ending="done", case=case))


@pytest.mark.parametrize("is_open", [True, False], ids=["a comment that asks", "a comment that is content"])
async def test_a_pass_wakes_the_look_of_an_open_case(
    queue: Queue, redis: Redis, clock: SetClock, is_open: bool
) -> None:
    await finish_comment(queue, redis, is_open)
    await queue.ingest(taken(looks=[look(decision("pass"), clock(), SETTLE)]), "0")
    assert await look_due(queue) == (clock() + SETTLE if is_open else None)


async def test_a_pass_wakes_a_look_while_the_question_is_on_its_way(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    asks = perform(comment(), RULE, "SE-1", clock() + timedelta(minutes=1))
    await queue.finish(await only(queue, redis), Result(ending="done", wishes=[asks]))
    assert await claimed(queue, redis) != []
    await queue.ingest(taken(looks=[look(decision("pass"), clock(), SETTLE)]), "0")
    assert await look_due(queue) == clock() + SETTLE


async def test_a_pass_puts_a_planned_look_off_too(queue: Queue, clock: SetClock) -> None:
    await queue.ingest(taken("d-1", looks=[look(decision("act"), clock(), SETTLE)]), "0")
    clock.advance(minutes=1)
    await queue.ingest(taken("d-2", looks=[look(decision("pass"), clock(), SETTLE)]), "0")
    assert await look_due(queue) == clock() + SETTLE


MARKS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=3)


@dataclass
class _Seen:
    """What a store with that promise would hold: a model to compare with."""

    marks: dict[str, str]
    stored: list[str]

    def take(self, name: str, marks: list[str]) -> str | None:
        first = next((self.marks[mark] for mark in marks if mark in self.marks), None)
        if first is None:
            self.marks |= dict.fromkeys(marks, name)
            self.stored.append(name)
        return first


@budget(max_examples=40, deadline=None)
@given(sequence=st.lists(MARKS, max_size=12))
def test_each_deliverys_effects_are_stored_once_whatever_is_repeated(redis_url: str, sequence: list[list[str]]) -> None:
    async def deliver() -> None:
        redis = Redis(connection_pool=store.connect(redis_url))
        await redis.flushall()
        queue, ledger, model = Queue(redis, lambda: NOON), Ledger(redis), _Seen({}, [])
        for number, marks in enumerate(sequence):
            name = f"d-{number}"
            decided = decision(subject=f"SE-{number}")
            given_delivery = taken(name, marks=marks, decisions=[decided], looks=[look(decided, NOON, timedelta(0))])
            assert await queue.ingest(given_delivery, "0") == model.take(name, marks)
        assert [entry.delivery for entry in await ledger.timeline()] == model.stored[::-1]
        assert (await queue.release(100))[0] == len(model.stored)
        await redis.aclose(close_connection_pool=True)

    asyncio.run(deliver())


# Release and claim


async def test_two_workers_that_ask_at_once_get_a_record_once(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(*(look_again(RULE, f"SE-{number}", clock()) for number in range(10)))
    counts = [count for count, _ in await asyncio.gather(*(queue.release(4) for _ in range(6)))]
    assert sum(counts) == 10
    keys = [key for key, _ in await leases(redis)]
    assert sorted(keys) == sorted({look_key(RULE, f"SE-{number}") for number in range(10)})


@pytest.mark.parametrize(("limit", "rings"), [(2, True), (3, False)], ids=["one is left", "nothing is left"])
async def test_what_is_left_over_rings_for_the_next_worker(
    queue: Queue, redis: Redis, clock: SetClock, limit: int, rings: bool
) -> None:
    await queue.want(*(look_again(RULE, f"SE-{number}", clock()) for number in range(3)))
    await redis.delete("crafty:doorbell")
    await queue.release(limit)
    assert bool(await redis.exists("crafty:doorbell")) is rings


async def test_release_says_when_the_next_record_is_due(queue: Queue, clock: SetClock) -> None:
    await queue.ingest(taken("d-1", looks=[look(decision(subject="SE-1"), clock(), timedelta(0))]), "0")
    await queue.ingest(taken("d-2", looks=[look(decision(subject="SE-2"), clock(), SETTLE)]), "0")
    assert await queue.release(10) == (1, clock() + LEASE)
    clock.advance(seconds=119.999)
    assert (await queue.release(10))[0] == 0
    clock.advance(milliseconds=1)
    assert (await queue.release(10))[0] == 2


@pytest.mark.parametrize(
    ("passed", "comes_back"),
    [
        pytest.param(LEASE - timedelta(milliseconds=1), False, id="just before the lease ends"),
        pytest.param(LEASE, True, id="when the lease ends"),
    ],
)
async def test_a_record_comes_back_when_its_lease_ends(
    queue: Queue, redis: Redis, clock: SetClock, passed: timedelta, comes_back: bool
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await only(queue, redis)
    clock.now += passed
    assert [work.tries for work in await claimed(queue, redis)] == ([2] if comes_back else [])


async def test_the_lease_counts_from_the_start_of_the_work(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.release(1)
    ((key, token),) = await leases(redis)
    clock.now += LEASE - timedelta(seconds=1)
    assert await queue.claim(key, token)
    clock.now += LEASE - timedelta(seconds=1)
    assert await claimed(queue, redis) == []


async def test_a_lease_can_be_taken_up_once(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.release(1)
    ((key, token),) = await leases(redis)
    works = await asyncio.gather(*(queue.claim(key, token) for _ in range(5)))
    assert len([work for work in works if work]) == 1


async def test_work_that_starts_and_ends_together_has_its_own_record_and_end_each(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    subjects = [f"SE-{number}" for number in range(5)]
    await queue.want(*(look_again(RULE, subject, clock()) for subject in subjects))
    works = await claimed(queue, redis)
    entries = [Entry(at=clock(), subject=work.subject, stage="look") for work in works]
    stale = msgspec.structs.replace(works[1], token="0")
    ends = [Result(ending="done", entries=[entry]) for entry in entries]

    ended = await asyncio.gather(*map(queue.finish, [works[0], stale, *works[2:]], ends))

    assert sorted(work.subject for work in works) == subjects
    assert ended == [True, False, True, True, True]
    told = {work.subject: await Ledger(redis).timeline(work.subject) for work in works}
    assert [[entry.subject for entry in told[work.subject]] for work in works] == [
        [] if work is works[1] else [work.subject] for work in works
    ]


async def test_a_stale_token_neither_starts_nor_ends_anything(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    slow = await only(queue, redis)
    clock.now += LEASE
    await queue.release(1)
    assert await queue.claim(slow.key, slow.token) is None
    assert not await queue.finish(slow, Result(ending="done", wishes=[perform(comment(), RULE, "SE-1", clock())]))
    (fresh,) = [await queue.claim(key, token) for key, token in await leases(redis)]
    assert fresh is not None
    assert await queue.finish(fresh, Result(ending="done"))
    assert not await queue.finish(fresh, Result(ending="done"))
    assert await queue.release(1) == (0, None)


async def test_a_record_deleted_under_the_due_index_is_passed_over(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await redis.delete(f"crafty:work:{LOOK}")
    assert await queue.release(10) == (0, None)
    await queue.want(look_again(RULE, "SE-1", clock()))
    assert (await only(queue, redis)).key == LOOK


async def test_a_record_deleted_while_it_runs_ends_with_nothing(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    work = await only(queue, redis)
    await redis.delete(f"crafty:work:{LOOK}")
    assert not await queue.finish(work, Result(ending="waiting", due=clock()))
    clock.now += LEASE
    assert await queue.release(10) == (0, None)


async def test_what_was_claimed_is_the_record(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(site(clock()))
    work = await only(queue, redis)
    assert work == Work(
        key="site",
        token=work.token,
        kind="site",
        rule="",
        subject="",
        payload="null",
        tries=1,
        wanted=clock(),
        format=FORMAT,
    )


# Whatever happens in whatever order

KEYS = [look_key(RULE, f"SE-{number}") for number in range(2)]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.sampled_from([0, 1])),
        st.tuples(st.just("start"), st.just(0)),
        st.tuples(st.sampled_from(["done", "waiting", "retry", "failed", "crash"]), st.integers(0, 3)),
        st.tuples(st.just("pass"), st.sampled_from([1, 60, 119, 121])),
    ),
    max_size=25,
)


class _Story:
    """Workers that come and go. What must hold all the while: no work is started beside its double, no wish is lost."""

    def __init__(self, redis: Redis) -> None:
        self.clock = SetClock(NOON)
        self.redis = redis
        self.queue = Queue(redis, self.clock)
        self.running: dict[str, tuple[Work, datetime]] = {}
        self.unmet: set[str] = set()

    async def step(self, name: str, number: int) -> None:
        if name == "pass":
            self.clock.advance(seconds=number)
        elif name == "want":
            await self.queue.want(look_again(RULE, f"SE-{number}", self.clock()))
            self.unmet.add(KEYS[number])
        elif name == "start":
            await self.start()
        elif self.running:
            work, _ = self.running.pop(sorted(self.running)[number % len(self.running)])
            await self.end(work, name)

    async def start(self) -> None:
        for work in await claimed(self.queue, self.redis):
            _, until = self.running.get(work.key, (work, self.clock()))
            assert until <= self.clock(), "started beside one whose lease holds"
            self.running[work.key] = (work, self.clock() + LEASE)
            self.unmet.discard(work.key)

    async def end(self, work: Work, name: Any) -> None:
        if name == "crash" or not await self.queue.finish(work, Result(ending=name, due=self.clock())):
            self.unmet.add(work.key)

    async def drain(self) -> None:
        for _ in range(4):
            self.clock.now += LEASE
            await self.start()
            for work, _ in self.running.values():
                await self.end(work, "done")
            self.running.clear()


@budget(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_no_wish_is_lost_and_no_work_doubled_whatever_falls_when(redis_url: str, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        redis = Redis(connection_pool=store.connect(redis_url))
        await redis.flushall()
        story = _Story(redis)
        for name, number in steps:
            await story.step(name, number)
        await story.drain()
        assert story.unmet == set()
        assert await story.queue.release(1) == (0, None)
        await redis.aclose(close_connection_pool=True)

    asyncio.run(play())


# Wishes that arrive while their record runs


async def test_a_wish_during_a_run_waits_for_its_moment_and_is_not_lost(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    work = await only(queue, redis)
    await queue.ingest(taken(looks=[look(decision(), clock(), SETTLE)]), "0")
    assert await claimed(queue, redis) == []
    await queue.finish(work, Result(ending="done"))
    assert await look_due(queue) == clock() + SETTLE
    clock.now += SETTLE
    again = await only(queue, redis)
    assert (again.key, again.tries) == (LOOK, 1)
    await queue.finish(again, Result(ending="done"))
    assert await queue.release(1) == (0, None)


async def test_a_wish_during_a_run_that_was_lost_still_comes_at_its_moment(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await only(queue, redis)
    clock.now += LEASE - timedelta(seconds=1)
    await queue.ingest(taken(looks=[look(decision(), clock(), SETTLE)]), "0")
    settled = clock() + SETTLE
    clock.advance(seconds=1)
    await queue.finish(await only(queue, redis), Result(ending="done"))
    assert await look_due(queue) == settled


async def test_a_wish_during_a_failing_run_revives_it(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    work = await only(queue, redis)
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.finish(work, Result(ending="failed", error="no right"))
    assert (await only(queue, redis)).tries == 1


async def test_the_newest_payload_is_done(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(perform(comment("first"), RULE, "SE-1", clock()))
    first = await only(queue, redis)
    await queue.want(perform(comment("second"), RULE, "SE-1", clock()))
    await queue.finish(first, Result(ending="done"))
    assert json.loads((await only(queue, redis)).payload)["state"] == "second"


# Endings


async def test_a_record_that_is_done_is_gone(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.finish(await only(queue, redis), Result(ending="done"))
    assert await queue.release(1) == (0, None)
    assert not await redis.exists(f"crafty:work:{LOOK}")


async def test_a_record_that_waits_comes_at_its_moment_as_if_new(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    at = clock() + timedelta(days=2)
    await queue.finish(await only(queue, redis), Result(ending="waiting", due=at))
    clock.now = at - timedelta(milliseconds=1)
    assert await claimed(queue, redis) == []
    clock.now = at
    work = await only(queue, redis)
    assert (work.tries, work.wanted) == (1, at)


async def test_a_moment_between_milliseconds_is_never_met_early(queue: Queue, redis: Redis, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    at = clock() + timedelta(seconds=1, microseconds=123_001)
    await queue.finish(await only(queue, redis), Result(ending="waiting", due=at))
    clock.now = at - timedelta(microseconds=1)
    assert await claimed(queue, redis) == []
    clock.advance(milliseconds=1)
    assert len(await claimed(queue, redis)) == 1


async def test_a_retry_counts_and_keeps_the_moment_it_was_wanted_at(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    wanted = clock()
    await queue.want(look_again(RULE, "SE-1", wanted))
    await queue.finish(await only(queue, redis), Result(ending="retry", due=clock() + timedelta(minutes=1)))
    clock.advance(minutes=1)
    work = await only(queue, redis)
    assert (work.tries, work.wanted) == (2, wanted)


async def test_a_new_wish_does_not_hurry_what_was_told_to_come_later(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    later = clock() + timedelta(minutes=30)
    await queue.finish(await only(queue, redis), Result(ending="retry", due=later))
    await queue.want(look_again(RULE, "SE-1", clock()))
    assert await look_due(queue) == later
    clock.now = later
    assert (await only(queue, redis)).tries == 2


async def test_a_wish_during_a_run_that_is_told_to_come_later_waits_too(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    work = await only(queue, redis)
    await queue.want(look_again(RULE, "SE-1", clock()))
    later = clock() + timedelta(minutes=30)
    await queue.finish(work, Result(ending="retry", due=later))
    assert await look_due(queue) == later


async def test_a_failed_record_is_a_dead_letter_until_it_is_wanted_again(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.finish(await only(queue, redis), Result(ending="failed", error="no right"))
    assert await redis.zrange("crafty:failed", 0, -1) == [LOOK.encode()]
    assert await field(redis, f"work:{LOOK}", "error") == b"no right"
    assert await queue.release(1) == (0, None)
    await queue.want(look_again(RULE, "SE-1", clock()))
    assert await redis.zcard("crafty:failed") == 0
    assert (await only(queue, redis)).tries == 1


async def test_what_was_decided_done_and_wanted_is_stored_with_the_ending(
    queue: Queue, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    entry = Entry(at=NOON, subject="SE-1", stage="look", decisions=(decision(),))
    case = Case(rule=RULE, subject="SE-1", comment="7", occasion="o", state="ask", at=NOON, turns=0, open=True)
    result = Result(
        ending="done",
        entries=[entry],
        wishes=[perform(comment(), RULE, "SE-1", clock())],
        done={"a:key": "done"},
        case=case,
    )
    assert await queue.finish(await only(queue, redis), result)
    assert await ledger.timeline("SE-1") == [entry]
    assert await ledger.is_done("a:key")
    assert await ledger.case(RULE, "SE-1") == case
    assert (await only(queue, redis)).kind == "perform"


# Effects


async def test_what_was_done_once_is_never_wanted_again(queue: Queue, redis: Redis, clock: SetClock) -> None:
    wish = perform(MoveToBacklog(ticket="SE-1", occasion="sprint-41"), RULE, "SE-1", clock())
    await queue.want(wish)
    work = await only(queue, redis)
    await queue.finish(work, Result(ending="done", done={work.key: "at noon"}))
    await queue.want(wish)
    assert await queue.release(1) == (0, None)


async def test_a_comment_may_be_wanted_again_and_again(queue: Queue, redis: Redis, clock: SetClock) -> None:
    for state in ("missing", "missing again"):
        await queue.want(perform(comment(state), RULE, "SE-1", clock()))
        work = await only(queue, redis)
        assert work.key == f"{RULE}:SE-1:sprint-41"
        await queue.finish(work, Result(ending="done"))


async def test_an_effect_that_was_started_before_is_a_retry(queue: Queue, redis: Redis, clock: SetClock) -> None:
    wish = perform(MoveToBacklog(ticket="SE-1"), RULE, "SE-1", clock())
    await queue.want(wish)
    assert not (await only(queue, redis)).is_retry
    await queue.want(wish)
    clock.now += LEASE
    again = await only(queue, redis)
    assert again.is_retry
    await queue.finish(again, Result(ending="done"))
    await queue.want(wish)
    assert (await only(queue, redis)).is_retry


@pytest.mark.parametrize(
    ("action", "is_open"),
    [
        pytest.param(comment(), True, id="a question opens the case before it is written"),
        pytest.param(
            EditComment(ticket="SE-1", occasion="sprint-41", state="ok", message=comment().message),
            False,
            id="an edit does not",
        ),
    ],
)
async def test_a_comment_on_its_way_is_known(
    queue: Queue, ledger: Ledger, redis: Redis, clock: SetClock, action: Comment, is_open: bool
) -> None:
    await queue.want(perform(action, RULE, "SE-1", clock()))
    assert await ledger.is_writing(RULE, "SE-1")
    assert await ledger.case(RULE, "SE-1") is None
    assert (await field(redis, f"case:{RULE}:SE-1", "open") == b"1") is is_open
    await queue.finish(await only(queue, redis), Result(ending="done"))
    assert not await ledger.is_writing(RULE, "SE-1")


async def test_a_blocked_look_comes_as_soon_as_the_comment_is_written(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(perform(comment(), RULE, "SE-1", clock()))
    writing = await only(queue, redis)
    await queue.want(look_again(RULE, "SE-1", clock()))
    blocked = await only(queue, redis)
    await queue.finish(blocked, Result(ending="blocked", due=clock() + timedelta(minutes=15)))
    assert await claimed(queue, redis) == []
    await queue.finish(writing, Result(ending="done"))
    assert (await only(queue, redis)).key == LOOK


async def test_a_look_that_finds_itself_blocked_too_late_comes_at_once(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(perform(comment(), RULE, "SE-1", clock()))
    writing = await only(queue, redis)
    await queue.want(look_again(RULE, "SE-1", clock()))
    blocked = await only(queue, redis)
    await queue.finish(writing, Result(ending="done"))
    assert await claimed(queue, redis) == []
    await queue.finish(blocked, Result(ending="blocked", due=clock() + timedelta(minutes=15)))
    assert (await only(queue, redis)).key == LOOK


async def test_a_look_that_runs_is_not_started_twice_when_the_comment_is_written(
    queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(perform(comment(), RULE, "SE-1", clock()))
    writing = await only(queue, redis)
    await queue.want(look_again(RULE, "SE-1", clock()))
    soon = clock() + timedelta(seconds=5)
    await queue.finish(await only(queue, redis), Result(ending="blocked", due=soon))
    clock.now = soon
    running = await only(queue, redis)
    await queue.finish(writing, Result(ending="done"))
    assert await claimed(queue, redis) == []
    assert await queue.finish(running, Result(ending="done"))


async def test_a_comment_that_is_tried_again_still_blocks(
    queue: Queue, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await queue.want(perform(comment(), RULE, "SE-1", clock()))
    await queue.finish(await only(queue, redis), Result(ending="retry", due=clock() + timedelta(minutes=1)))
    assert await ledger.is_writing(RULE, "SE-1")
    clock.advance(minutes=1)
    await queue.finish(await only(queue, redis), Result(ending="failed", error="no right"))
    assert not await ledger.is_writing(RULE, "SE-1")


async def test_a_comment_whose_record_was_deleted_blocks_no_look(
    queue: Queue, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    wish = perform(comment(), RULE, "SE-1", clock())
    await queue.want(wish)
    await redis.delete(f"crafty:work:{wish.key}")
    assert not await ledger.is_writing(RULE, "SE-1")


# Digests


async def test_a_digest_gathers_the_lines_of_all_subjects(
    queue: Queue, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    at = clock() + timedelta(minutes=10)
    for subject in ("SE-1", "SE-2"):
        await queue.want(perform(digest(f"{subject} has no estimate", at), RULE, subject, clock()))
    assert await look_due(queue) == at
    clock.now = at
    work = await only(queue, redis)
    assert (work.kind, work.wanted) == ("digest", at)
    assert sorted(await ledger.lines(work.key)) == [f"{RULE} SE-1", f"{RULE} SE-2"]


@pytest.mark.parametrize(
    ("lines", "due"),
    [
        pytest.param([(0, 180), (60, 180), (179, 180)], 180, id="a fixed moment stays, however late a line comes"),
        pytest.param([(0, 5), (4, 9)], 9, id="a later moment puts it off"),
        pytest.param([(0, 5), (4, 10), (9, 15)], 15, id="up to ten minutes after the first one's moment"),
        pytest.param([(0, 5), (4, 10), (9, 16)], 15, id="and no further"),
    ],
)
async def test_a_digest_is_sent_at_its_moment(
    queue: Queue, clock: SetClock, lines: list[tuple[int, int]], due: int
) -> None:
    start = clock()
    for number, (written, at) in enumerate(lines):
        clock.now = start + timedelta(minutes=written)
        await queue.want(perform(digest("x", start + timedelta(minutes=at)), RULE, f"SE-{number}", clock()))
    assert await look_due(queue) == start + timedelta(minutes=due)


async def test_a_line_during_sending_goes_out_next_and_nothing_twice(
    queue: Queue, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await queue.want(perform(digest("one", clock()), RULE, "SE-1", clock()))
    work = await only(queue, redis)
    for subject in ("SE-1", "SE-2"):
        await queue.want(perform(digest("again", clock()), RULE, subject, clock()))
    assert list(await ledger.lines(work.key)) == [f"{RULE} SE-1"]
    await queue.finish(work, Result(ending="done", sent=[f"{RULE} SE-1"]))
    following = await only(queue, redis)
    assert list(await ledger.lines(following.key)) == [f"{RULE} SE-2"]
    await queue.finish(following, Result(ending="done", sent=[f"{RULE} SE-2"]))
    await queue.want(perform(digest("and again", clock()), RULE, "SE-2", clock()))
    assert await queue.release(1) == (0, None)


async def test_a_digest_that_is_tried_again_has_the_same_lines(
    queue: Queue, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await queue.want(perform(digest("one", clock()), RULE, "SE-1", clock()))
    first = await only(queue, redis)
    await queue.finish(first, Result(ending="retry", due=clock() + timedelta(seconds=5)))
    await queue.want(perform(digest("two", clock()), RULE, "SE-2", clock()))
    clock.advance(seconds=5)
    again = await only(queue, redis)
    assert again.is_retry
    assert list(await ledger.lines(again.key)) == [f"{RULE} SE-1"]
    await queue.finish(again, Result(ending="done", sent=[f"{RULE} SE-1"]))
    following = await only(queue, redis)
    assert list(await ledger.lines(following.key)) == [f"{RULE} SE-2"]


async def test_a_line_that_was_dropped_may_be_wanted_again_and_one_that_went_out_may_not(
    queue: Queue, redis: Redis, ledger: Ledger, clock: SetClock
) -> None:
    wishes = [perform(digest(subject, clock()), RULE, subject, clock()) for subject in ("SE-1", "SE-2")]
    names = [f"{RULE} SE-1", f"{RULE} SE-2"]
    await queue.want(*wishes)
    work = await only(queue, redis)
    assert sorted(await ledger.lines(work.key)) == names
    await queue.finish(work, Result(ending="done", sent=names[:1], dropped=names[1:]))
    assert await queue.release(1) == (0, None)
    await queue.want(*wishes)
    work = await only(queue, redis)
    assert list(await ledger.lines(work.key)) == names[1:]


# Versions


async def test_work_knows_the_version_to_decide_by(queue: Queue, redis: Redis, ledger: Ledger, clock: SetClock) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    work = await only(queue, redis)
    assert work.version == "0"
    await queue.finish(work, Result(ending="waiting", due=clock()))
    await ledger.keep_site(Site(jira_bot=("acc-crafty",)))
    assert (await only(queue, redis)).version == "1"


# What a rehearsal leaves behind


async def test_a_rehearsal_is_kept_apart_from_what_was_done(
    queue: Queue, redis: Redis, ledger: Ledger, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    case = Case(rule=RULE, subject="SE-1", comment="", occasion="s", state="missing", at=clock(), turns=0, open=True)
    result = Result(ending="done", case=case, done={"a key": "done"}, rehearsed=True)
    await queue.finish(await only(queue, redis), result)
    shadow = kept_as(RULE, "dry-run")
    assert (await ledger.case(shadow, "SE-1"), await ledger.done_by(shadow, "SE-1")) == (case, frozenset({"a key"}))
    assert (await ledger.case(RULE, "SE-1"), await ledger.done_by(RULE, "SE-1")) == (None, frozenset())
    assert (await ledger.is_done("a key"), await ledger.asking()) == (False, frozenset())


def test_the_next_look_is_the_earliest_recheck() -> None:
    rechecks = [Recheck(subject="SE-1", at=NOON + timedelta(hours=hours)) for hours in (3, 1, 2)]
    assert next_look([comment(), *rechecks]) == NOON + timedelta(hours=1)
    assert next_look([comment()]) is None


async def test_a_redis_that_is_away_is_one_kind_of_error(clock: SetClock, tmp_path: Any) -> None:
    redis = Redis(unix_socket_path=str(tmp_path / "nobody.sock"))
    queue, ledger = Queue(redis, clock), Ledger(redis)
    for call in (queue.ingest(taken(), "0"), queue.want(site(NOON)), queue.release(1), queue.claim("a", "1")):
        with pytest.raises(RedisAway, match=r"ConnectionError\)$"):
            await call
    for read in (ledger.asking(), ledger.case(RULE, "SE-1"), ledger.timeline(), ledger.site()):
        with pytest.raises(RedisAway):
            await read
    await redis.aclose()
