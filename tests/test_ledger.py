"""The ledger: what was stored comes back as it was."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from redis.asyncio import Redis

from service.actions import MoveToBacklog
from service.contributions import Note, contribution_from
from service.engine import Decision
from service.errors import RedisAway
from service.facts import Person, Said
from service.jira_shapes import FieldMap
from service.ledger import Case, Contributed, Delivery, Effect, Entry, Ledger, Site, Standing, redis_or_away
from service.queue import Queue, Result, Taken, look_again
from service.rules._base import Outcome
from tests.builders import NEXT, RUNNING
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
    assert await ledger.site() == (None, "0")


# Pings


async def test_a_days_budget_counts_each_thing_once(ledger: Ledger) -> None:
    asked = ["a", "b", "a", "c", "b", "c"]
    assert [await ledger.may_ping("ann", date(2026, 11, 3), about, 2) for about in asked] == [
        *(True, True, True),
        *(False, True, False),
    ]


@pytest.mark.parametrize(
    ("person", "day"),
    [
        pytest.param("bob", date(2026, 11, 3), id="another person"),
        pytest.param("ann", date(2026, 11, 4), id="a new day"),
    ],
)
async def test_a_budget_is_a_persons_and_a_days(ledger: Ledger, person: str, day: date) -> None:
    assert await ledger.may_ping("ann", date(2026, 11, 3), "a", 1)
    assert await ledger.may_ping(person, day, "b", 1)


# Contributions

ADA = Person(name="Ada", github="ada")
OPENED = Note(what="opened", at=NOON, by=ADA, title="Fix the docs", url="https://x.example/12")
ANSWERED = Note(
    what="answered", at=NOON, by=Person(name="Bob", github="bob"), id="c-1", groups=("team",), text="@crafty why"
)


@pytest.mark.parametrize("place", ["acme/tool", 7], ids=["a repository", "a forum category"])
async def test_notes_add_up_and_the_first_telling_stays(ledger: Ledger, redis: Redis, place: str | int) -> None:
    later = msgspec.structs.replace(OPENED, title="Another title")
    for notes in ((OPENED,), (later, ANSWERED), (ANSWERED,)):
        await ledger.keep_notes(Contributed(key="k", place=place, notes=notes))
    found = await ledger.contribution("k")
    assert found == contribution_from("k", place, (OPENED, ANSWERED))
    assert 399 * 86_400 < await redis.ttl("crafty:contribution:k") <= 400 * 86_400


async def test_what_is_read_is_added_and_not_kept(ledger: Ledger) -> None:
    assert await ledger.keep_notes(Contributed(key="k", place="acme/tool", notes=(OPENED,))) is True
    assert await ledger.keep_notes(Contributed(key="k", place="acme/tool", notes=(OPENED,))) is False
    kept = await ledger.kept("k")
    assert kept is not None
    assert kept.with_notes(ANSWERED) == contribution_from("k", "acme/tool", (OPENED, ANSWERED))
    assert await ledger.contribution("k") == contribution_from("k", "acme/tool", (OPENED,))


@pytest.mark.parametrize(
    ("notes", "since", "was_told"),
    [
        pytest.param((OPENED,), OPENED.at, True, id="opened at that instant"),
        pytest.param((OPENED,), OPENED.at + timedelta(seconds=1), False, id="opened before"),
        pytest.param((OPENED, ANSWERED), ANSWERED.at, True, id="answered at that instant"),
        pytest.param((ANSWERED,), ANSWERED.at, False, id="nobody told how it began"),
    ],
)
async def test_webhooks_are_trusted_as_long_as_they_told_all(
    ledger: Ledger, notes: tuple[Note, ...], since: datetime, was_told: bool
) -> None:
    await ledger.keep_notes(Contributed(key="k", place="acme/tool", notes=notes))
    kept = await ledger.kept("k")
    assert kept is not None
    assert kept.was_told(since) is was_told
    await ledger.doubt("k")
    doubted = await ledger.kept("k")
    assert doubted is not None
    assert doubted.was_told(since) is False
    assert doubted.notes == kept.notes


async def test_a_contribution_whose_place_nobody_told_is_not_known(ledger: Ledger) -> None:
    await ledger.keep_notes(Contributed(key="k", notes=(OPENED,)))
    assert await ledger.contribution("k") is None
    assert await ledger.contribution("another") is None


# What sweeps go by


async def test_the_sprints_that_were_seen_are_those_of_the_last_sweep(ledger: Ledger) -> None:
    assert await ledger.sprints_seen("Serenity") == ()
    for seen in ((RUNNING, NEXT), (NEXT,)):
        await ledger.see_sprints("Serenity", seen)
        assert await ledger.sprints_seen("Serenity") == seen
    assert await ledger.sprints_seen("Falcon") == ()


async def test_what_a_look_left_behind_is_known(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    at = clock() + timedelta(days=2)
    result = Result(ending="waiting", due=at, looked="a stamp", done={"a:key": "done"}, case=case(is_open=True))
    await end_with(redis, clock, result)
    said = Said(occasion="sprint-41", state="in review nobody is named", at=NOON, turns=2)
    assert await ledger.standings([(RULE, "on"), ("another", "on")], "SE-1") == {
        RULE: Standing(said=said, done=frozenset({"a:key"}), seen="a stamp", next_look=at),
        "another": Standing(said=None, done=frozenset(), seen=None, next_look=None),
    }
    assert await ledger.done_by(RULE, "SE-1") == {"a:key"}
    assert await ledger.asking() == {f"{RULE}:SE-1"}


async def test_a_comment_that_is_content_asks_no_more(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    for is_open in (True, False):
        await end_with(redis, clock, Result(ending="done", case=case(is_open=is_open)))
    assert await ledger.asking() == frozenset()


async def test_the_latest_decision_of_each_rule_is_told_newest_first(
    ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    told = [("first", "old"), ("second", "only"), ("first", "new")]
    entries = [
        Entry(
            at=NOON,
            subject="SE-1",
            stage="look",
            decisions=(
                Decision(rule=rule, subject="SE-1", cell="S", mode="on", outcome="wait", reason=reason, facts={}),
            ),
        )
        for rule, reason in told
    ]
    await end_with(redis, clock, Result(ending="done", entries=entries))
    assert [(one.rule, one.reason) for one in await ledger.told("SE-1")] == [("first", "new"), ("second", "only")]


async def test_a_warning_is_new_once_and_says_what_it_said_last(ledger: Ledger) -> None:
    assert [await ledger.warn("board", text) for text in ("gone", "gone", "closed")] == [True, False, False]
    assert await ledger.warnings() == {"board": "closed"}


@pytest.mark.parametrize(
    ("person", "is_ours"),
    [
        pytest.param(Person(name="c", jira="acc-crafty"), True, id="Jira's account"),
        pytest.param(Person(name="c", github="Crafty-Bot"), True, id="GitHub's, in other letters"),
        pytest.param(Person(name="c", discourse="crafty-bot"), False, id="that name elsewhere"),
        pytest.param(Person(name="crafty-bot"), False, id="a name without an account"),
    ],
)
def test_an_account_of_ours_counts_in_its_own_system(person: Person, is_ours: bool) -> None:
    site = Site(jira_bot=("acc-crafty",), github_bot="crafty-bot", discourse_bot="crafty")
    assert site.is_ours(person) is is_ours
    assert site.bots == {"acc-crafty", "crafty-bot", "crafty"}


# Pages, and what came in


def delivery(name: str, source: str = "jira", at: datetime = NOON) -> Delivery:
    return Delivery(id=name, source=source, event="x", subject="SE-1", received=at)


async def take(
    redis: Redis, clock: SetClock, name: str, source: str = "jira", decisions: tuple[Decision, ...] = ()
) -> None:
    """Stores a delivery that comes in now."""
    taken = Taken(delivery=delivery(name, source, clock()), body=name.encode(), marks=[name], decisions=decisions)
    await Queue(redis, clock).ingest(taken, "0")


async def test_deliveries_are_read_in_pages_newest_first(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    for number in range(5):
        await take(redis, clock, f"d-{number}")
        clock.advance(seconds=1)
    pages = [[one.id for one in await ledger.deliveries(first, 2)] for first in (0, 2, 4, 6)]
    assert pages == [["d-4", "d-3"], ["d-2", "d-1"], ["d-0"], []]


async def test_a_page_leaves_out_what_is_not_stored_any_more(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    for name in ("d-1", "d-2"):
        await take(redis, clock, name)
        clock.advance(seconds=1)
    await redis.delete("crafty:delivery:d-1")
    assert [one.id for one in await ledger.deliveries(0, 10)] == ["d-2"]
    assert [one.id async for one, _ in ledger.deliveries_since(NOON - timedelta(days=1))] == ["d-2"]
    assert await ledger.delivery("d-1") is None
    assert [await ledger.was_taken(name) for name in ("d-1", "d-2", "d-3")] == [True, True, False]


@pytest.mark.parametrize(("seconds", "found"), [(0, ["d-0", "d-1", "d-2"]), (1, ["d-1", "d-2"]), (3, [])])
async def test_deliveries_since_a_moment_come_oldest_first_with_their_bodies(
    ledger: Ledger, redis: Redis, clock: SetClock, seconds: int, found: list[str]
) -> None:
    start = clock()
    for number in range(3):
        await take(redis, clock, f"d-{number}")
        clock.advance(seconds=1)
    read = [(one.id, body) async for one, body in ledger.deliveries_since(start + timedelta(seconds=seconds))]
    assert read == [(name, name.encode()) for name in found]


async def test_many_deliveries_are_read_whole(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    for number in range(450):
        await take(redis, clock, f"d-{number:03}")
    read = [one.id async for one, _ in ledger.deliveries_since(clock())]
    assert read == [f"d-{number:03}" for number in range(450)]


@pytest.mark.parametrize("subject", ["SE-1", None])
async def test_entries_are_read_in_pages_newest_first(
    ledger: Ledger, redis: Redis, clock: SetClock, subject: str | None
) -> None:
    await end_with(redis, clock, Result(ending="done", entries=[effect(number) for number in range(5)]))
    first = await ledger.entries(subject, "+", 2)
    second = await ledger.entries(subject, first[-1][0], 2)
    third = await ledger.entries(subject, second[-1][0], 2)
    assert [entry for _, entry in (*first, *second, *third)] == [effect(number) for number in (4, 3, 2, 1, 0)]
    assert await ledger.entries(subject, third[-1][0], 2) == []


async def test_it_is_known_when_each_source_delivered_last(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    first = clock()
    await take(redis, clock, "d-1", "github")
    await take(redis, clock, "d-2")
    second = clock.advance(hours=1)
    await take(redis, clock, "d-3")
    assert await ledger.last_deliveries() == {"github": first, "jira": second}


# Counts


def decided(outcome: Outcome, rule: str = RULE) -> Decision:
    return Decision(rule=rule, subject="SE-1", cell="Serenity", mode="on", outcome=outcome, reason="because", facts={})


async def test_what_happens_is_counted_by_rule_and_outcome_by_result_and_by_source(
    ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await take(redis, clock, "d-1", decisions=(decided("act"), decided("pass", "green-ticket")))
    await take(redis, clock, "d-2", decisions=(decided("act"),))
    await take(redis, clock, "d-3", "github")
    look = Entry(at=NOON, subject="SE-1", stage="look", decisions=(decided("wait"),))
    await end_with(redis, clock, Result(ending="done", entries=[look, effect(1), effect(2)]))
    assert await ledger.counts(clock()) == {
        "missing-reviewer act": 2,
        "missing-reviewer wait": 1,
        "missing-reviewer effect done": 2,
        "green-ticket pass": 1,
        "source jira": 2,
        "source github": 1,
        "kind comment done": 2,
        "work look done": 1,
    }


async def test_a_duplicate_counts_nothing(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    for _ in range(3):
        await take(redis, clock, "d-1", decisions=(decided("act"),))
    assert await ledger.counts(clock()) == {"missing-reviewer act": 1, "source jira": 1}


async def test_work_whose_lease_passed_on_counts_nothing(ledger: Ledger, redis: Redis, clock: SetClock) -> None:
    queue = Queue(redis, clock)
    await queue.want(look_again(RULE, "SE-1", clock()))
    await queue.release(1)
    work = await queue.claim(f"look:{RULE}:SE-1", (await redis.get("crafty:leases")).decode())
    assert work is not None
    clock.advance(minutes=3)
    await queue.release(1)
    assert not await queue.finish(work, Result(ending="done", entries=[effect(1)]))
    assert await ledger.counts(clock()) == {}


@pytest.mark.parametrize(
    ("passed", "is_counted"),
    [
        pytest.param(timedelta(0), True, id="now"),
        pytest.param(timedelta(hours=23, minutes=59), True, id="within the last 24 hours"),
        pytest.param(timedelta(hours=24), True, id="24 hours ago"),
        pytest.param(timedelta(hours=25), False, id="longer ago"),
    ],
)
async def test_counts_are_those_of_a_day(
    ledger: Ledger, redis: Redis, clock: SetClock, passed: timedelta, is_counted: bool
) -> None:
    await take(redis, clock, "d-1")
    assert await ledger.counts(clock() + passed) == ({"source jira": 1} if is_counted else {})
