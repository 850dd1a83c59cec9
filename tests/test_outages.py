"""Outages: whatever is away, what was accepted is done once when it is back, and nothing is said that is over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.types import ASGIApp, Receive, Scope, Send
from tenacity import retry, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from chaos.hours import MORNING, a_team, needs_review, systems_away, weekend_away
from chaos.house import Store, open_store
from service import store, worker
from service.actions import Recheck
from service.attention import Attention
from service.clock import utc_now
from service.config import load_config
from service.current import Current
from service.demo._jira_site import JiraComment
from service.demo._sender import WebhookSender
from service.demo.jira import JiraStandIn
from service.demo.server import serve
from service.doctor._work import of_given_up, of_unread
from service.errors import RedisAway, TryLater
from service.jira_shapes import FieldMap
from service.jobs import SOONEST
from service.ledger import Delivery, Ledger, Site
from service.queue import LEASE, MOST_LOST, Queue, Result, look_again, look_key, perform, sweep
from service.roster import team_from
from service.rules._base import Verdict
from service.steering import Actor, Job, steering
from service.webhooks.sources import Sources
from service.worker import MAX_JOBS
from tests.builders import SAM, book, ticket
from tests.conftest import SetClock
from tests.test_jobs import FOUND, RULE, Crafty, ask, tell
from tests.test_queue import claimed, leases
from tests.test_sweeps import BoardJira, Sweeping
from tests.test_worker import subjects, want, working
from tests.webhooks.payloads import FIELDS, body, issue_fields, issue_updated
from tests.webhooks.test_answers import app_of, client_of, post_jira

SECONDS = 60.0
Shortage = Callable[[Store], AbstractContextManager[None]]


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A Redis of this test alone, that can be away, run full, and have a full disk."""
    monkeypatch.setattr(worker, "AWAY_SECONDS", 0.02)
    async with open_store(tmp_path, "everysec") as made:
        yield made


@pytest.fixture
async def redis(server: Store) -> AsyncIterator[Redis]:
    """A client of that store, in which the site is known."""
    client = Redis(connection_pool=store.connect(server.url))
    await Ledger(client).keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    yield client
    await client.aclose(close_connection_pool=True)


@asynccontextmanager
async def listening(url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """The API on that Redis."""
    app = app_of(url, clock, admin_tokens=SecretStr("ada:the-token"))
    async with app.router.lifespan_context(app), client_of(app) as http:
        yield http


async def deliver(http: httpx.AsyncClient, number: int) -> int:
    issue = {"id": str(number), "key": f"SE-{number}", "fields": issue_fields()}
    answer = await post_jira(http, body(issue_updated(issue=issue)), x_atlassian_webhook_identifier=f"d-{number}")
    assert answer.headers.get("retry-after") == ("10" if answer.status_code == 503 else None)
    return answer.status_code


async def traces(redis: Any, number: int) -> list[bool]:
    """What there is of a delivery: its mark, itself, its place in the list, the story of its ticket, and the look."""
    keys = (f"seen:jira::d-{number}", f"delivery:d-{number}", f"timeline:SE-{number}")
    there = [bool(await redis.exists(f"crafty:{key}")) for key in keys]
    look = await redis.hget(f"crafty:work:look:missing-reviewer:SE-{number}", "state") is not None
    return [*there, look, await redis.zscore("crafty:deliveries", f"d-{number}") is not None]


full = pytest.mark.parametrize(
    "shortage",
    [
        pytest.param(Store.full_memory, id="memory"),
        pytest.param(
            Store.full_disk,
            id="disk",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another's files"),
        ),
    ],
)


@full
async def test_a_delivery_is_stored_whole_or_refused_while_the_store_is_full(
    server: Store, redis: Redis, clock: SetClock, shortage: Shortage
) -> None:
    async with listening(server.url, clock) as http:
        assert await deliver(http, 0) == 202
        with shortage(server):
            answers = {number: await deliver(http, number) for number in range(1, 9)}
            assert 503 in answers.values()
            for number, status in answers.items():
                assert await traces(redis, number) == [status == 202] * 5
        await until_taken(http, 9)
        assert [await deliver(http, number) for number in range(9)] == [
            202 if answers.get(number) == 503 else 200 for number in range(9)
        ]


async def test_what_comes_in_while_redis_is_away_is_refused_and_what_came_before_is_kept(
    tmp_path: Path, clock: SetClock
) -> None:
    async with open_store(tmp_path, "always") as server, listening(server.url, clock) as http:
        assert [await deliver(http, number) for number in range(3)] == [202] * 3
        async with server.away():
            assert [await deliver(http, number) for number in range(1, 5)] == [503] * 4
            assert [(await http.get(path)).status_code for path in ("/readyz", "/healthz")] == [503, 200]
        await until_ready(http)
        assert [await deliver(http, number) for number in range(5)] == [200] * 3 + [202] * 2


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.02))
async def until_ready(http: httpx.AsyncClient) -> None:
    assert (await http.get("/readyz")).status_code == 200


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.02))
async def until_taken(http: httpx.AsyncClient, number: int) -> None:
    assert await deliver(http, number) == 202


@full
async def test_a_worker_waits_while_the_store_is_full_and_does_everything_once(
    server: Store, redis: Redis, shortage: Shortage
) -> None:
    async with working(server.url) as (_, jobs):
        jobs.is_open.clear()
        await want(redis, *subjects(MAX_JOBS + 5))
        await jobs.until(lambda so_far: so_far.running == MAX_JOBS)
        with shortage(server):
            await until_refused(redis)
            jobs.is_open.set()
            await until_refused_often(redis, times=3 * MAX_JOBS)
        await jobs.until(lambda so_far: len(so_far.done) == MAX_JOBS + 5)
    assert sorted(jobs.done) == sorted(subjects(MAX_JOBS + 5))
    assert len(jobs.started) == MAX_JOBS + 5


async def test_a_store_without_memory_is_not_filled_further_by_work_that_waits(server: Store, redis: Redis) -> None:
    await want(redis, *subjects(50))
    with server.full_memory():
        before = await redis.dbsize()
        with pytest.raises(RedisAway):
            await Queue(redis, utc_now).release(50)
        assert await redis.dbsize() == before


async def until_refused(redis: Any) -> None:
    """The first write that fails is still answered well: it is kept in memory until there is room."""
    with pytest.raises(RedisError):
        await write_again_and_again(redis)


@retry(retry=retry_if_result(bool), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.01))
async def write_again_and_again(redis: Any) -> bool:
    return bool(await redis.set("probe", "x"))


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.02))
async def until_refused_often(redis: Any, times: int) -> None:
    refused = await redis.info("errorstats")
    assert sum(one["count"] for name, one in refused.items() if name in {"errorstat_OOM", "errorstat_MISCONF"}) > times


# Others are away for hours, and Crafty for a weekend


async def test_what_a_vendor_missed_while_it_was_away_is_done_once_when_it_is_back(tmp_path: Path) -> None:
    """One after the other, each fails at every call for an hour, though it may have carried out what it was asked."""
    found = await systems_away(hours=1, an_hour=1, seed=7, folder=tmp_path)
    assert (found.broken, found.facts["effects called for"]) == ([], 24)


async def test_after_a_weekend_of_downtime_each_thing_is_said_once_and_only_what_is_still_so(tmp_path: Path) -> None:
    found = await weekend_away(tickets=6, folder=tmp_path)
    assert found.broken == []
    assert found.facts == {
        "deliveries": found.facts["deliveries"],
        "hours away": 59,
        "deeds that nobody heard of": 62,
        "tickets that the sweep found changed": 13,
        "messages that waited and were no longer true": 12,
        "messages on Monday": 10,
    }


# A worker is stopped while it works


HASTY_WORKER = """
import sys
from datetime import timedelta
from service import cli, jobs, queue

queue.LEASE, jobs.WORK_SECONDS = timedelta(seconds=2), 1
sys.stdin.readline()
sys.argv = ["crafty", "worker"]
cli.main()
"""


@dataclass
class Held:
    """A Jira whose first answer to the question for a ticket's comments is held back."""

    app: ASGIApp
    is_asked: asyncio.Event
    may_answer: asyncio.Event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].endswith("/SE-1/comment"):
            self.is_asked.set()
            await self.may_answer.wait()
        await self.app(scope, receive, send)


@asynccontextmanager
async def hasty_worker(folder: Path, environ: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker with a lease of two seconds, which begins when it is told to."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HASTY_WORKER),
        cwd=folder,
        env={**os.environ, **environ},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def begin(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")


async def test_a_worker_that_was_stopped_past_its_lease_writes_nothing_when_it_wakes_up(
    server: Store, redis: Redis, tmp_path: Path
) -> None:
    """It is stopped between its search for the comment and the comment; meanwhile another worker writes it."""
    asked, may_answer = asyncio.Event(), asyncio.Event()
    async with httpx.AsyncClient() as client:
        jira = JiraStandIn("cloud", utc_now, WebhookSender(client), token="a-token")
        jira.app.add_middleware(Held, is_asked=asked, may_answer=may_answer)
        async with serve(jira.app) as url, AsyncExitStack() as stack:
            jira.base_url = url
            for person in team_from(load_config(a_team(tmp_path))).members:
                jira.add_person(str(person.jira), person.name)
            await jira.create_sprint(41, "SE Sprint 41", board=12)
            await jira.start_sprint(41)
            await needs_review(jira, "SE-1")
            environ = {
                "CRAFTY_REDIS_URL": server.url,
                "CRAFTY_JIRA_URL": url,
                "CRAFTY_JIRA_EMAIL": jira.bot.email,
                "CRAFTY_JIRA_TOKEN": "a-token",
            }
            stopped, other = [await stack.enter_async_context(hasty_worker(tmp_path, environ)) for _ in range(2)]
            begin(stopped)
            await asyncio.wait_for(asked.wait(), 60)
            stopped.send_signal(signal.SIGSTOP)
            may_answer.set()
            begin(other)
            await until_written(jira)
            stopped.send_signal(signal.SIGCONT)
            for process in (stopped, other):
                process.terminate()
                assert await asyncio.wait_for(process.wait(), 60) == 0
    assert len(own_comments(jira)) == 1
    done = [
        one.effect.result for one in await Ledger(redis).timeline("SE-1") if one.effect and one.effect.kind == "comment"
    ]
    assert done == ["done"]


def own_comments(jira: JiraStandIn) -> list[JiraComment]:
    return [comment for comment in jira.comments("SE-1") if "crafty" in comment.properties]


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(60), wait=wait_fixed(0.02))
async def until_written(jira: JiraStandIn) -> None:
    assert own_comments(jira)


# What waited is not said before it is known to be so still


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Crafty:
    """A Crafty in the evening, whose message to Sam waits for the morning."""
    clock.now = EVENING
    made = Crafty(redis, clock, attention=Attention())
    await made.ledger.keep_site(FOUND)
    await made.act(ask(), tell(SAM))
    return made


EVENING = datetime(2026, 11, 3, 21, tzinfo=UTC)
NEXT_DAY = datetime(2026, 11, 4, 7, tzinfo=UTC)
LOOK_OF_TESTS = look_key(RULE, "SE-1")


async def nothing(_: Crafty) -> None:
    """Only the message is due."""


async def under_way(crafty: Crafty) -> None:
    """Another worker takes up what is due before the message."""
    await crafty.queue.release(1)
    await crafty.leases()


async def a_sweep(crafty: Crafty) -> None:
    await crafty.queue.want(sweep("Serenity", crafty.clock()))
    await under_way(crafty)


async def a_look(crafty: Crafty) -> None:
    await crafty.queue.want(look_again(RULE, "SE-1", crafty.clock() - timedelta(hours=1)))
    await under_way(crafty)


async def a_look_that_failed(crafty: Crafty) -> None:
    crafty.jira.faults = [TryLater("busy", after=3600)]
    await crafty.look(Verdict.passed("nothing to do"))


async def another_comment(crafty: Crafty) -> None:
    wish = perform(ask("Somebody?", "missing still"), RULE, "SE-1", crafty.clock())
    await crafty.queue.want(wish)
    await under_way(crafty)


@pytest.mark.parametrize(
    ("at_hand", "is_sent"),
    [(nothing, True), (a_sweep, False), (a_look, False), (a_look_that_failed, False), (another_comment, False)],
)
async def test_a_message_that_waited_is_sent_when_nothing_at_hand_may_make_it_untrue(
    crafty: Crafty, clock: SetClock, at_hand: Callable[[Crafty], Awaitable[None]], is_sent: bool
) -> None:
    clock.now = NEXT_DAY - timedelta(minutes=1)
    await at_hand(crafty)
    clock.now = NEXT_DAY
    await crafty.work_off()
    assert bool(crafty.chat.messages) == is_sent


# Poison


@pytest.mark.parametrize("kind", ["look", "perform"])
async def test_work_that_takes_its_worker_with_it_five_times_is_given_up_and_holds_nothing_up(
    redis: Redis, clock: SetClock, kind: str
) -> None:
    queue = Queue(redis, clock)
    poison = look_again(RULE, "SE-1", clock()) if kind == "look" else perform(ask(), RULE, "SE-1", clock())
    await queue.want(poison)
    for _ in range(MOST_LOST):
        assert await claimed(queue, redis)
        clock.now += LEASE
    await queue.want(look_again(RULE, "SE-2", clock()))
    assert [work.subject for work in await claimed(queue, redis)] == ["SE-2"]
    admin = steering(redis, clock, Current(Ledger(redis), book()), ["Serenity"])
    (job,) = await admin.jobs("failed", 0, 10)
    assert (job.id, job.error) == (poison.key, "its worker ended 5 times before it was done")
    assert not await Ledger(redis).is_writing(RULE, "SE-1")

    await admin.retry(job.id, Actor("ada", "cli"))
    (work,) = await claimed(queue, redis)
    assert await queue.finish(work, Result(ending="done"))


async def test_a_lease_that_nobody_took_up_and_work_that_ends_cost_nothing(redis: Redis, clock: SetClock) -> None:
    queue = Queue(redis, clock)
    await queue.want(look_again(RULE, "SE-1", clock()))
    for _ in range(2 * MOST_LOST):
        await queue.release(1)
        await leases(redis)
        clock.now += LEASE
        await claimed(queue, redis)
        clock.now += LEASE
        (work,) = await claimed(queue, redis)
        await queue.finish(work, Result(ending="retry", due=clock()))
    assert await redis.zcard("crafty:failed") == 0


STUCK = """
import asyncio, time
from service import processes

processes.STUCK_SECONDS = 0.2

async def check():
    watching = asyncio.create_task(processes.end_when_stuck())
    await asyncio.sleep(0.5)
    print("alive", flush=True)
    time.sleep(60)

asyncio.run(check())
"""


def test_a_process_whose_rule_never_ends_is_ended_and_says_where_it_stood() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "alive\n")
    assert "in check" in ended.stderr


def absurd(what: Any) -> Verdict:
    """What no rule may answer; the type checker would not let it."""
    verdict: Verdict = what
    return verdict


MANY = [ask(f"{number}", f"missing {number}") for number in range(51)]
NOBODYS_MOMENT = Recheck(subject="SE-1", at=datetime(2026, 11, 3, 9))  # noqa: DTZ001 - that is what is wrong with it


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(absurd(None), id="nothing"),
        pytest.param(absurd("act"), id="a word"),
        pytest.param(absurd(Verdict("wait", absurd(7))), id="no reason"),  # type: ignore[arg-type]
        pytest.param(Verdict.act("it is wanted", *MANY), id="more than anybody could want"),
        pytest.param(Verdict.wait("later", NOBODYS_MOMENT), id="a moment of no zone"),
    ],
)
async def test_a_rule_that_answers_nonsense_is_given_up_for_that_ticket_and_does_nothing(
    redis: Redis, clock: SetClock, answer: Verdict
) -> None:
    crafty = Crafty(redis, clock)
    await crafty.look(answer)
    assert (crafty.comments, await crafty.dead_letters()) == ([], [LOOK_OF_TESTS])
    ((result, reason),) = await crafty.effects()
    assert (result, reason.partition(" (")[0]) == ("failed", "the rule failed")


async def test_a_rule_that_wants_to_look_again_in_the_past_is_not_asked_again_and_again(
    redis: Redis, clock: SetClock
) -> None:
    crafty = Crafty(redis, clock)
    await crafty.look(Verdict.wait("in a moment", Recheck(subject="SE-1", at=clock() - timedelta(days=1))))
    assert await crafty.next_due() == clock() + SOONEST


async def test_a_rule_that_fails_is_let_be_by_sweeps_until_something_changes(redis: Redis, clock: SetClock) -> None:
    def check(*_: Any) -> Verdict:
        raise ZeroDivisionError

    board = BoardJira(tickets={"SE-1": ticket()})
    crafty = Sweeping(redis, clock, jira=board, board=board, check=check)

    async def failures_after_a_sweep() -> int:
        await crafty.queue.want(sweep("Serenity", clock()))
        await crafty.work_off()
        clock.advance(hours=1)
        return len(await crafty.effects())

    assert [await failures_after_a_sweep() for _ in range(3)] == [1, 1, 1]
    board.tickets["SE-1"] = ticket(updated_at=clock())
    assert [await failures_after_a_sweep() for _ in range(3)] == [2, 2, 2]


async def test_a_delivery_on_which_crafty_fails_is_kept_whole_until_a_version_that_is_mended_replays_it(
    server: Store, redis: Redis, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise KeyError("a bug")

    ledger = Ledger(redis)
    async with listening(server.url, clock) as http:
        with monkeypatch.context() as patch:
            patch.setattr(Sources, "parsed", fails)
            assert await deliver(http, 1) == 202
        ((poison, body),) = [one async for one in ledger.deliveries_since(clock() - timedelta(days=1))]
        assert (poison.note, await redis.keys("crafty:work:*")) == ("Crafty failed on it (KeyError)", [])
        answer = await http.post("/api/v1/deliveries/d-1/replay", headers={"authorization": "Bearer the-token"})
    assert json.loads(body)["issue"]["key"] == "SE-1"
    assert answer.status_code in {200, 202}
    assert await redis.keys("crafty:work:look:*") == [b"crafty:work:look:missing-reviewer:SE-1"]


# The doctor tells of all that


def given_up(rule: str, subject: str, error: str = "no right to") -> Job:
    return Job(
        id=f"{rule}:{subject}", state="failed", kind="look", rule=rule, subject=subject, due=MORNING, error=error
    )


def test_the_doctor_names_each_rule_with_work_that_was_given_up() -> None:
    jobs = [given_up("spillover", "SE-3"), given_up("answers", "SE-2"), given_up("spillover", "SE-1")]
    told = [(one.state, one.about, one.what) for one in of_given_up(jobs)]
    assert told == [
        ("wrong", "answers", "1 piece of work was given up, the last about SE-2: no right to"),
        ("wrong", "spillover", "2 pieces of work were given up, the last about SE-3: no right to"),
    ]
    assert [one.state for one in of_given_up([])] == ["fine"]


def test_the_doctor_names_the_last_delivery_on_which_crafty_failed() -> None:
    notes = [None, "a ping", "Crafty failed on it (KeyError)", "Crafty failed on it (TypeError)"]
    lately = [
        Delivery(id=f"d-{number}", source="jira", event="x", subject=None, received=MORNING, note=note)
        for number, note in enumerate(notes)
    ]
    (found,) = of_unread(lately)
    assert found.what == "2 of the last 4, such as jira's d-2: Crafty failed on it (KeyError)"
    assert list(of_unread(lately[:2])) == []
