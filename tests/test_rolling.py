"""Rolling deploys: what an earlier version stored is used, what a later one stores is let be, nothing is doubled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from service import ledger as ledger_module
from service import migrations
from service.current import Current
from service.engine import Rulebook
from service.errors import RedisAway
from service.findings import Finding
from service.ledger import FORMAT, TAKEN_OVER, Delivery
from service.migrations import lacking, migrate
from service.packing import unpacked
from service.queue import LEASE, Queue, Result, Taken, Wish, look_again
from service.rounds import EVERYTHING, REGISTRATION
from service.rules._base import Verdict
from service.steering import Actor, steering
from tests import snapshots
from tests.builders import BOB, book, ticket
from tests.conftest import SetClock
from tests.test_effects import Written
from tests.test_jobs import FOUND, RULE, Crafty, ask, tell
from tests.test_queue import only
from tests.webhooks.payloads import body, issue_updated
from tests.webhooks.test_answers import app_of, client_of, post_jira

OLDEST = "format-0"
DEAD = "task-insertion:SE-2:sprint-42:add_label:SE-2:late"
SAVED = timedelta(minutes=20)
"""When the snapshot was made, after the tests' first moment."""


@dataclass
class Upgraded(Crafty):
    """This version's own rules, on what an earlier one stored."""

    configured: Rulebook = field(default_factory=book)

    @property
    def current(self) -> Current:
        return Current(self.ledger, self.configured)


async def nothing_wrong() -> tuple[Finding, ...]:
    return ()


@pytest.fixture
async def upgraded(redis: Redis, clock: SetClock) -> Upgraded:
    await snapshots.load(redis, OLDEST)
    await migrate(redis)
    clock.now += SAVED
    made = Upgraded(redis, clock, examinations={EVERYTHING: nothing_wrong, REGISTRATION: nothing_wrong})
    made.jira.tickets = {
        "SE-1": ticket(status="Need Review", reviewer=None),
        "SE-2": ticket(key="SE-2", status="Backlog", sprints=()),
    }
    made.jira.comments["10003"] = Written("SE-1", "missing-reviewer:SE-1:sprint-41", "Who reviews it?")
    return made


# What an earlier version stored


async def test_a_store_of_the_first_version_is_migrated_and_keeps_all_it_has(redis: Redis) -> None:
    await snapshots.load(redis, OLDEST)
    before = await snapshots.taken(redis)
    assert await lacking(redis) == "what is stored is being brought to the format of this version"
    await migrate(redis)
    assert await lacking(redis) is None
    after = await snapshots.taken(redis)
    assert after.pop("crafty:format")["value"] == f"{FORMAT}"
    formats = [one["value"].pop("format") for key, one in after.items() if key.startswith("crafty:work:")]
    assert formats == ["1"] * 10
    assert _deliveries(after) == dict.fromkeys(_deliveries(before), "string")
    assert _others(after) == _others(before)


def _deliveries(store: snapshots.Json) -> dict[str, str]:
    """The type of each delivery."""
    return {key: one["type"] for key, one in store.items() if key.startswith("crafty:delivery:")}


def _others(store: snapshots.Json) -> dict[str, Any]:
    return {key: one["value"] for key, one in store.items() if not key.startswith("crafty:delivery:")}


async def test_processes_that_start_at_once_migrate_together_and_again(redis: Redis) -> None:
    await snapshots.load(redis, OLDEST)
    await asyncio.gather(*(migrate(redis) for _ in range(4)))
    once = await snapshots.taken(redis)
    await redis.delete("crafty:format")
    await migrate(redis)
    assert await snapshots.taken(redis) == once


async def test_work_that_is_done_while_the_store_is_migrated_does_not_come_back(redis: Redis) -> None:
    await migrations._run(redis, "stamp", b"crafty:work:site")
    assert await redis.exists("crafty:work:site") == 0


async def test_an_empty_store_is_of_this_format_at_once(redis: Redis) -> None:
    await migrate(redis)
    assert (await lacking(redis), await redis.keys()) == (None, [b"crafty:format"])


async def test_everything_of_an_earlier_version_is_read(upgraded: Upgraded) -> None:
    ledger = upgraded.ledger
    site, _ = await ledger.site()
    case = await ledger.case("missing-reviewer", "SE-1")
    topic = await ledger.contribution("topic:11")
    ((delivery, body),) = [
        one async for one in ledger.deliveries_since(upgraded.clock() - SAVED) if one[0].subject == "SE-2"
    ]
    ((_, newest), *_) = await ledger.entries("SE-1", "+", 10)
    assert (site and site.fields.reviewer, site and site.jira_bot) == ("customfield_10031", ("crafty",))
    assert (case and case.comment, case and case.open) == ("10003", True)
    assert (topic and topic.title, topic and topic.ticket) == ("How do I log in?", "SE-3")
    assert [(one.ticket, one.reason) for one in await ledger.all_commitments()] == [("SE-1", "waited for the vendor")]
    assert [one.answered_by for one in await ledger.acknowledgements()] == ["Bob"]
    assert json.loads(body)["issue"]["key"] == delivery.subject
    assert newest.decisions or newest.effect


async def test_the_settings_of_an_earlier_version_hold(upgraded: Upgraded) -> None:
    current = upgraded.current
    await current.reload()
    params: Any = current.book.setting("green-ticket", "").params
    assert params.model_dump(mode="json")["reminder_lead"] == "48h"
    assert [current.book.setting("spillover", cell).mode for cell in ("", "Serenity")] == ["on", "dry-run"]


async def test_what_an_earlier_version_took_is_a_duplicate(upgraded: Upgraded) -> None:
    known, *_ = await upgraded.ledger.deliveries(0, 10)
    mark = f"jira::{known.id}"
    again = Taken(delivery=known, marks=[mark])
    _, version = await upgraded.ledger.site()
    assert await upgraded.queue.ingest(again, version) == known.id


async def test_what_an_earlier_version_planned_is_done_at_its_moment_and_once(upgraded: Upgraded) -> None:
    await upgraded.work_off()
    assert [where for where, *_ in upgraded.chat.messages] == ["@bob"]
    for minutes in (60, 2, 60):
        upgraded.clock.advance(minutes=minutes)
        await upgraded.work_off()
    assert [where for where, *_ in upgraded.chat.messages] == ["@bob", "@sam"]


async def test_the_comment_of_an_earlier_version_is_edited_and_not_written_anew(upgraded: Upgraded) -> None:
    upgraded.jira.tickets["SE-1"] = ticket(status="Need Review", reviewer=BOB)
    await upgraded.queue.want(look_again("missing-reviewer", "SE-1", upgraded.clock()))
    await upgraded.work_off()
    (comment,) = upgraded.jira.comments.values()
    assert comment.edits == 1
    assert "Bob" in comment.text


async def test_a_dead_letter_of_an_earlier_version_is_tried_again(upgraded: Upgraded) -> None:
    admin = steering(upgraded.redis, upgraded.clock, upgraded.current, ["Serenity"])
    (job,) = await admin.jobs("failed", 0, 10)
    await admin.retry(job.id, Actor("ada", "cli"))
    await upgraded.work_off()
    assert (job.id, await upgraded.dead_letters()) == (DEAD, [])


# What a later version stores


@pytest.fixture
async def newer(redis: Redis, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> Crafty:
    """A process of the next version, which has brought the store to its own format."""
    await migrate(redis)
    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "FORMAT", FORMAT + 1)
        made = Crafty(redis, clock)
        await migrations._run(redis, "adopt")
    await made.ledger.keep_site(FOUND)
    return made


async def test_a_process_that_was_overtaken_writes_nothing_and_says_why(
    redis: Redis, clock: SetClock, newer: Crafty
) -> None:
    await newer.want(ask())
    before = await snapshots.taken(redis)
    older = Queue(redis, clock)
    delivery = Delivery(id="d-1", source="jira", event="x", subject="SE-1", received=clock())
    for call in (
        older.ingest(Taken(delivery=delivery, marks=["d-1"]), "0"),
        older.want(look_again(RULE, "SE-9", clock())),
        older.release(10),
        older.claim("SE-1", "1"),
    ):
        with pytest.raises(RedisAway, match=TAKEN_OVER):
            await call
    assert await snapshots.taken(redis) == before
    work = await only(newer.queue, redis)
    assert (work.format, await newer.queue.finish(work, Result(ending="done"))) == (FORMAT + 1, True)


async def test_a_process_that_was_overtaken_tells_load_balancers_and_senders(
    redis: Redis, redis_url: str, clock: SetClock, newer: Crafty
) -> None:
    app = app_of(redis_url, clock)
    async with app.router.lifespan_context(app), client_of(app) as http:
        ready, answer = await http.get("/readyz"), await post_jira(http, body(issue_updated()))
    assert (ready.status_code, ready.json()["detail"]) == (503, TAKEN_OVER)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert await redis.keys("crafty:deliver*") == []


async def test_a_process_that_was_overtaken_takes_no_step(redis: Redis, newer: Crafty) -> None:
    before = await snapshots.taken(redis)
    await migrate(redis)
    assert await snapshots.taken(redis) == before
    assert await lacking(redis) == TAKEN_OVER


async def test_an_effect_under_way_when_the_next_version_takes_over_is_done_once(
    redis: Redis, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older one writes the comment and may not say so any more; the newer one finds it."""
    older = Crafty(redis, clock)
    await older.ledger.keep_site(FOUND)
    await older.want(ask())
    await older.queue.release(1)
    ((key, token),) = await older.leases()
    work = await older.queue.claim(key, token)
    assert work is not None
    result = await older.jobs._result(work)
    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "FORMAT", FORMAT + 1)
        newer = Crafty(redis, clock, jira=older.jira)
        await migrations._run(redis, "adopt")
    with pytest.raises(RedisAway, match=TAKEN_OVER):
        await older.queue.finish(work, result)
    clock.now += LEASE
    await newer.work_off()
    assert newer.comments == ["Who reviews it?"]
    assert [result for result, _ in await newer.effects()] == ["done"]


# What only one of two versions knows, side by side


async def stored(redis: Any, wish: Wish, **fields: str) -> None:
    """Work as another version has stored it."""
    await redis.hset(f"crafty:work:{wish.key}", mapping=fields)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"format": f"{FORMAT + 1}"}, id="work of a later format"),
        pytest.param({"kind": "dance"}, id="an unknown kind of work"),
        pytest.param({"payload": '{"kind":"dance","ticket":"SE-1"}'}, id="an unknown action"),
        pytest.param({"payload": '{"kind":"comment","ticket":["SE-1"]}'}, id="an action of another shape"),
    ],
)
async def test_what_an_older_version_cannot_do_waits_as_it_is_for_one_that_can(
    redis: Redis, clock: SetClock, fields: dict[str, str]
) -> None:
    older = Crafty(redis, clock)
    await older.ledger.keep_site(FOUND)
    wish = await older.want(tell())
    known = {name.decode(): value.decode() for name, value in (await record(redis, wish)).items()}
    await stored(redis, wish, **fields, hue="blue")
    with capture_logs():
        for _ in range(3):
            await older.work_off()
            clock.now = await older.next_due() or clock.now
    kept = {name.decode(): value.decode() for name, value in (await record(redis, wish)).items()}
    assert {name: kept[name] for name in ("hue", *fields)} == {"hue": "blue", **fields}
    assert (await older.dead_letters(), older.chat.messages) == ([], [])

    await stored(redis, wish, **{name: known[name] for name in fields})
    await older.work_off()
    assert len(older.chat.messages) == 1


async def record(redis: Any, wish: Wish) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = await redis.hgetall(f"crafty:work:{wish.key}")
    return found


@pytest.mark.parametrize("want", ["look", "effect"])
async def test_work_of_a_rule_is_left_to_the_process_that_knows_the_rule(
    redis: Redis, clock: SetClock, want: str
) -> None:
    verdict = Verdict.act("it is wanted", ask())
    older, newer = (Crafty(redis, clock, rules=rules, verdict=verdict) for rules in ((), (RULE,)))
    newer.jira = older.jira
    await newer.ledger.keep_site(FOUND)
    if want == "look":
        await newer.queue.want(look_again(RULE, "SE-1", clock()))
    else:
        await newer.want(ask())
    with capture_logs():
        for _ in range(4):
            await older.work_off()
            clock.now = await older.next_due() or clock.now
    assert (older.comments, await older.dead_letters()) == ([], [])
    await newer.work_off()
    assert newer.comments == ["Who reviews it?"]


async def test_two_versions_at_work_do_everything_once(redis: Redis, clock: SetClock) -> None:
    verdict = Verdict.act("it is wanted", ask(), tell())
    both = [Crafty(redis, clock, rules=rules, verdict=verdict) for rules in ((), (RULE,))]
    both[1].jira, both[1].chat = both[0].jira, both[0].chat
    await both[0].ledger.keep_site(FOUND)
    await both[0].queue.want(look_again(RULE, "SE-1", clock()))
    with capture_logs():
        for turn in range(12):
            await both[turn % 2].queue.release(1)
            for key, token in await both[turn % 2].leases():
                await both[turn % 2].jobs.work(key, token)
            clock.advance(minutes=1)
    assert (both[0].comments, len(both[0].chat.messages)) == (["Who reviews it?"], 1)
    assert await both[0].next_due() is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda entry: {**entry, "mood": "calm"}, id="one more fact"),
        pytest.param(
            lambda entry: {**entry, "effect": {**entry["effect"], "result": "postponed"}}, id="an unknown result"
        ),
        pytest.param(
            lambda entry: {**entry, "effect": None, "decisions": [{"rule": "of-tomorrow"}]}, id="another decision"
        ),
    ],
)
async def test_a_story_that_another_version_wrote_on_is_read(
    redis: Redis, clock: SetClock, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    crafty = Crafty(redis, clock)
    await crafty.ledger.keep_site(FOUND)
    await crafty.act(tell())
    ((_, fields),) = await redis.xrevrange("crafty:timeline:SE-1", count=1)
    line = json.dumps(change(json.loads(unpacked(fields[b"entry"]))))
    await redis.xadd("crafty:timeline:SE-1", {"entry": line})
    newest, second, _ = await crafty.ledger.timeline("SE-1")
    assert (newest.at, newest.stage, newest.subject) == (second.at, second.stage, "SE-1")


async def test_what_another_version_stored_besides_is_kept(redis: Redis, clock: SetClock) -> None:
    crafty = Crafty(redis, clock)
    await crafty.ledger.keep_site(FOUND)
    await crafty.act(ask())
    case: Any = redis.hset(f"crafty:case:{RULE}:SE-1", "hue", "blue")
    await case
    tunings: Any = redis.hset("crafty:tunings", "of-tomorrow", '{"":{"mode":"off"}}')
    await tunings
    await crafty.act(ask("Who reviews it by now?", "missing still"))
    await crafty.tune(params={"hours": 6})
    kept = await snapshots.taken(redis)
    assert kept[f"crafty:case:{RULE}:SE-1"]["value"]["hue"] == "blue"
    assert kept["crafty:tunings"]["value"]["of-tomorrow"] == '{"":{"mode":"off"}}'
    assert crafty.comments == ["Who reviews it by now?"]


# Readiness


async def test_a_process_is_ready_once_the_store_is_migrated(
    redis: Redis, redis_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = asyncio.Event()

    async def step(_: Redis) -> None:
        await may_go_on.wait()

    monkeypatch.setattr(migrations, "_STEPS", (step,))
    app = app_of(redis_url, clock)
    async with app.router.lifespan_context(app), client_of(app) as http:
        early = await http.get("/readyz")
        may_go_on.set()
        assert (early.status_code, early.headers["retry-after"]) == (503, "10")
        await until_ready(http)


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(60), wait=wait_fixed(0.005))
async def until_ready(http: httpx.AsyncClient) -> None:
    assert (await http.get("/readyz")).status_code == 200
