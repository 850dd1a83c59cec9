"""The ledger: what was stored comes back as it was."""

from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from service.actions import MoveToBacklog
from service.engine import Decision
from service.errors import RedisAway
from service.facts import Said
from service.jira_shapes import FieldMap
from service.ledger import Case, Delivery, Effect, Entry, Ledger, Site, redis_or_away
from service.queue import Queue, Result, Taken, look_again
from tests.conftest import SetClock

RULE = "missing-reviewer"
NOON = datetime(2026, 11, 3, 12, 0, 0, 123_456, tzinfo=UTC)


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return Ledger(redis)


async def end_with(redis: Redis, clock: SetClock, result: Result) -> None:
    """Stores what a finished look leaves behind."""
    queue = Queue(redis, clock)
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.release(1)
    token = (await redis.get("crafty:leases")).decode()
    work = await queue.claim(f"look:{RULE}:SE-1", token)
    assert work is not None
    assert await queue.finish(work, result)


def effect(number: int, subject: str = "SE-1") -> Entry:
    what = Effect(rule=RULE, kind="comment", target=subject, result="done", reason=f"number {number}")
    return Entry(at=NOON, subject=subject, stage="effect", effect=what)


def case(*, is_open: bool) -> Case:
    return Case(
        rule=RULE,
        subject="SE-1",
        comment="10042",
        occasion="sprint-41",
        state="in review nobody is named",
        at=NOON,
        turns=2,
        open=is_open,
    )


async def test_nothing_was_said_or_stored_at_first(ledger: Ledger) -> None:
    assert await ledger.case(RULE, "SE-1") is None
    assert await ledger.said(RULE, "SE-1") is None
    assert await ledger.delivery("d-1") is None
    assert await ledger.timeline() == []
    assert await ledger.site() == (None, "0")
    assert await ledger.lines("any") == {}
    assert await ledger.cached("any") is None
    assert not await ledger.is_done("any")
    assert not await ledger.is_writing(RULE, "SE-1")


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_case_comes_back_as_it_was(ledger: Ledger, redis: Redis, clock: SetClock, is_open: bool) -> None:
    await end_with(redis, clock, Result(ending="done", case=case(is_open=is_open)))
    assert await ledger.case(RULE, "SE-1") == case(is_open=is_open)
    said = Said(occasion="sprint-41", state="in review nobody is named", at=NOON, turns=2)
    assert await ledger.said(RULE, "SE-1") == said
    assert await ledger.case(RULE, "SE-2") is None


async def test_the_timeline_is_newest_first_and_of_one_subject_or_all(
    ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    entries = [effect(1), effect(2, "SE-2"), effect(3)]
    await end_with(redis, clock, Result(ending="done", entries=entries))
    assert await ledger.timeline() == entries[::-1]
    assert await ledger.timeline("SE-1") == [effect(3), effect(1)]
    assert await ledger.timeline(limit=1) == [effect(3)]


async def test_a_decision_keeps_its_facts_and_actions(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    decision = Decision(
        rule=RULE,
        subject="SE-1",
        cell="Serenity",
        mode="dry-run",
        outcome="act",
        reason="“quoted”, \u2028 and null \0",
        facts={"assignee": None, "estimate": 3.0, "sprints": []},
        actions=(MoveToBacklog(ticket="SE-1"),),
    )
    entry = Entry(at=NOON, subject="SE-1", stage="look", decisions=(decision,))
    await end_with(redis, clock, Result(ending="done", entries=[entry]))
    assert await ledger.timeline("SE-1") == [entry]


async def test_bytes_of_a_body_come_back_whatever_they_are(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    delivery = Delivery(
        id="d-1", source="jira", event="jira:issue_updated", subject=None, received=NOON, headers={"a": "b"}, note="why"
    )
    body = bytes(range(256))
    await Queue(redis, clock).ingest(Taken(delivery=delivery, body=body, marks=["m"]), "0")
    assert await ledger.delivery("d-1") == (delivery, body)


async def test_a_review_counts_once_a_ticket(ledger: Ledger) -> None:
    for ticket, person in (("SE-1", "fay"), ("SE-1", "fay"), ("SE-2", "fay"), ("SE-3", "finn")):
        await ledger.take_review(41, ticket, person)
    assert await ledger.reviews_taken(41) == {"fay": 2, "finn": 1}
    assert await ledger.reviews_taken(42) == {}


async def test_a_new_site_is_a_new_version_and_the_same_one_is_not(ledger: Ledger) -> None:
    site = Site(fields=FieldMap(reviewer="customfield_1"), jira_bot=("acc-crafty",), problems=("no sprint field",))
    versions = []
    for found in (site, site, Site()):
        await ledger.keep_site(found)
        stored, version = await ledger.site()
        assert stored == found
        versions.append(version)
    assert versions == ["1", "1", "2"]


async def test_a_cached_value_is_kept_for_its_time(ledger: Ledger, redis: Redis) -> None:
    await ledger.cache("sprints:12", b"[]", 60)
    assert await ledger.cached("sprints:12") == b"[]"
    assert 0 < await redis.ttl("crafty:cache:sprints:12") <= 60


@pytest.mark.parametrize(
    "fault",
    [ConnectionRefusedError("to 10.0.0.7"), TimeoutError(), BrokenPipeError()],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_fault_of_the_connection_is_redis_away_and_names_no_address(fault: OSError) -> None:
    with pytest.raises(RedisAway) as away:
        async with redis_or_away():
            raise fault
    assert str(away.value) == f"Redis can't be used at the moment ({type(fault).__name__})"


async def test_a_bug_of_ours_is_not_redis_away() -> None:
    with pytest.raises(KeyError):
        async with redis_or_away():
            raise KeyError("bug")


async def test_redis_answers(ledger: Ledger) -> None:
    await ledger.ping()
    assert await ledger.site() == (None, "0")
