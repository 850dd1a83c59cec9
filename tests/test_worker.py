"""The worker on a real Redis: wakes at once, takes no more than it can do, outlives Redis, and stops in order."""

import asyncio
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from service import store, worker
from service.clock import utc_now
from service.embedded import server_program
from service.errors import RedisAway
from service.facts import Team
from service.jobs import Jobs
from service.ledger import Ledger
from service.queue import ARQ_QUEUE, Queue, Result, Work, look_again
from service.rounds import EVERYTHING, REGISTRATION
from service.settings import Settings
from service.worker import MAX_JOBS, Worker, worker_from
from tests.builders import book, config, team

RULE = "testing"
SECONDS = 60.0


@dataclass
class TinyJobs:
    """Jobs that take up a record, wait for the gate, and end it; and note who was at it when.

    raises_on: the subject whose work raises and never ends.
    """

    queue: Queue
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    started: list[tuple[str, float]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    running: int = 0
    most: int = 0
    raises_on: str = ""
    team: Team = field(default_factory=Team)

    def __post_init__(self) -> None:
        self.is_open.set()

    async def work(self, key: str, token: str) -> None:
        work = await self.queue.claim(key, token)
        if work is None or work.kind in {"site", "doctor"}:
            return
        await self._note_start(work)
        if work.subject == self.raises_on:
            raise ZeroDivisionError
        await self.is_open.wait()
        await self._finish(work)

    async def _note_start(self, work: Work) -> None:
        async with self.changed:
            self.started.append((work.subject, time.perf_counter()))
            self.running += 1
            self.most = max(self.most, self.running)
            self.changed.notify_all()

    @retry(retry=retry_if_exception_type(RedisAway), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.02))
    async def _finish(self, work: Work) -> None:
        assert await self.queue.finish(work, Result(ending="done"))
        async with self.changed:
            self.running -= 1
            self.done.append(work.subject)
            self.changed.notify_all()

    async def until(self, is_so: Callable[["TinyJobs"], bool]) -> None:
        """Waits until it is so; fails after SECONDS."""
        async with asyncio.timeout(SECONDS), self.changed:
            await self.changed.wait_for(lambda: is_so(self))


@dataclass
class Closing:
    """A client that knows whether it was closed."""

    is_closed: bool = False

    async def aclose(self) -> None:
        self.is_closed = True


@asynccontextmanager
async def working(url: str, shared: TinyJobs | None = None) -> AsyncIterator[tuple[Worker, TinyJobs]]:
    """A worker that runs, with jobs of its own unless some are given; it is stopped at the end."""
    pool = store.connect(url)
    queue = Queue(Redis(connection_pool=pool), utc_now)
    jobs = shared or TinyJobs(queue)
    made = Worker(pool, queue, cast("Jobs", jobs), utc_now, ())
    running = asyncio.create_task(made.main())
    try:
        yield made, jobs
    finally:
        jobs.is_open.set()
        made.stop()
        await asyncio.wait_for(running, SECONDS)


async def want(redis: Redis, *subjects: str) -> None:
    await Queue(redis, utc_now).want(*(look_again(RULE, subject, utc_now()) for subject in subjects))


def subjects(count: int) -> list[str]:
    return [f"SE-{number}" for number in range(count)]


@pytest.fixture
def long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens well before a worker's turn ends, the doorbell brought about."""
    monkeypatch.setattr(worker, "TURN_SECONDS", 40.0)
    monkeypatch.setattr(store, "TIMEOUT_SECONDS", 60.0)


SOON = 20.0


async def test_a_wish_is_taken_up_within_milliseconds(redis: Redis, redis_url: str) -> None:
    async with working(redis_url) as (_, jobs):
        waits = []
        for number in range(20):
            await idle(redis)
            asked = time.perf_counter()
            await want(redis, f"SE-{number}")
            await jobs.until(lambda so_far, enough=number + 1: len(so_far.done) == enough)  # type: ignore[misc]
            waits.append(jobs.started[-1][1] - asked)
    assert statistics.median(waits) < 0.1


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.002))
async def idle(redis: Redis, workers: int = 1) -> None:
    """Waits until that many workers block on the doorbell."""
    clients = await redis.client_list()
    assert [(one["cmd"], "b" in one["flags"]) for one in clients].count(("blpop", True)) == workers


async def test_what_died_with_other_workers_is_in_nobodys_way(redis: Redis, redis_url: str) -> None:
    left: dict[str, float] = {f"look:{RULE}:XX-{number}@{number}": 1 for number in range(150)}
    await redis.zadd(ARQ_QUEUE, left)
    await redis.mset({f"arq:in-progress:{job}": "1" for job in left})
    async with working(redis_url) as (_, jobs):
        await want(redis, "SE-1")
        await jobs.until(lambda so_far: so_far.done == ["SE-1"])


async def test_no_more_run_at_once_than_may(redis: Redis, redis_url: str) -> None:
    async with working(redis_url) as (_, jobs):
        jobs.is_open.clear()
        await want(redis, *subjects(MAX_JOBS + 15))
        await jobs.until(lambda so_far: so_far.running == MAX_JOBS)
        jobs.is_open.set()
        await jobs.until(lambda so_far: len(so_far.done) == MAX_JOBS + 15)
        assert jobs.most == MAX_JOBS
    assert sorted(jobs.done) == sorted(subjects(MAX_JOBS + 15))


@pytest.mark.usefixtures("long_turns")
async def test_two_workers_share_the_work_and_double_nothing(redis: Redis, redis_url: str) -> None:
    jobs = TinyJobs(Queue(redis, utc_now))
    async with working(redis_url, jobs), working(redis_url, jobs):
        jobs.is_open.clear()
        await idle(redis, workers=2)
        asked = time.perf_counter()
        await want(redis, *subjects(60))
        await jobs.until(lambda so_far: so_far.running == 2 * MAX_JOBS)
        shared_after = time.perf_counter() - asked
        jobs.is_open.set()
        await jobs.until(lambda so_far: len(so_far.done) == 60)
    assert sorted(jobs.done) == sorted(subjects(60))
    assert shared_after < SOON


@pytest.mark.usefixtures("long_turns")
async def test_a_worker_that_is_full_leaves_the_doorbell_to_others(redis: Redis, redis_url: str) -> None:
    async with working(redis_url) as (_, full):
        full.is_open.clear()
        await want(redis, *subjects(MAX_JOBS))
        await full.until(lambda so_far: so_far.running == MAX_JOBS)
        async with working(redis_url) as (_, free):
            waits = []
            for number in range(10):
                await idle(redis)
                asked = time.perf_counter()
                await want(redis, f"OPS-{number}")
                await free.until(lambda so_far, enough=number + 1: len(so_far.done) == enough)  # type: ignore[misc]
                waits.append(time.perf_counter() - asked)
    assert max(waits) < SOON


async def test_a_job_that_raises_does_not_end_the_worker(redis: Redis, redis_url: str) -> None:
    async with working(redis_url) as (_, jobs):
        jobs.raises_on = "SE-0"
        await want(redis, "SE-0")
        await jobs.until(lambda so_far: bool(so_far.started))
        await want(redis, "SE-1")
        await jobs.until(lambda so_far: so_far.done == ["SE-1"])
    assert [subject for subject, _ in jobs.started] == ["SE-0", "SE-1"]


@pytest.mark.usefixtures("long_turns")
async def test_an_idle_worker_stops_at_once(redis: Redis, redis_url: str) -> None:
    async with working(redis_url):
        await idle(redis)
        asked = time.perf_counter()
    assert time.perf_counter() - asked < SOON


async def test_a_stopped_worker_finishes_what_runs_and_takes_up_nothing_new(redis: Redis, redis_url: str) -> None:
    pool, client = store.connect(redis_url), Closing()
    queue = Queue(Redis(connection_pool=pool), utc_now)
    jobs = TinyJobs(queue)
    made = Worker(pool, queue, cast("Jobs", jobs), utc_now, [client])
    jobs.is_open.clear()
    running = asyncio.create_task(made.main())
    await want(redis, "SE-0")
    await jobs.until(lambda so_far: so_far.running == 1)
    made.stop()
    await want(redis, "SE-1")
    await idle(redis, workers=0)
    assert not running.done()
    jobs.is_open.set()
    await asyncio.wait_for(running, SECONDS)
    assert jobs.done == ["SE-0"]
    assert client.is_closed
    assert (await Queue(redis, utc_now).release(10))[0] == 1


async def test_a_stopped_worker_leaves_what_takes_too_long_to_the_lease(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "STOP_SECONDS", 0.02)
    jobs = TinyJobs(Queue(redis, utc_now))
    made = Worker(store.connect(redis_url), Queue(redis, utc_now), cast("Jobs", jobs), utc_now, ())
    jobs.is_open.clear()
    running = asyncio.create_task(made.main())
    await want(redis, "SE-0")
    await jobs.until(lambda so_far: so_far.running == 1)
    made.stop()
    await asyncio.wait_for(running, SECONDS)
    for task in made.tasks.values():
        task.cancel()
    await asyncio.wait(made.tasks.values(), timeout=SECONDS)
    await made.pool.aclose(close_connection_pool=True)
    assert jobs.done == []
    released, following = await Queue(redis, utc_now).release(10)
    assert (released, following is not None and following > utc_now()) == (0, True)


# Redis goes away


class OwnServer:
    """A server of this test alone, that can be killed and started again on the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder}/redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = str(self._folder)
        place = ["--port", "0", "--unixsocket", f"{folder}/redis.sock", "--dir", folder]
        keeps = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self._process = subprocess.Popen([server_program(), *place, *keeps], stdout=subprocess.DEVNULL)
        _wait_for(self.url)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@retry(retry=retry_if_exception_type(RedisError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.01), reraise=True)
def _wait_for(url: str) -> None:
    with SyncRedis.from_url(url) as client:
        client.ping()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnServer]:
    monkeypatch.setattr(worker, "AWAY_SECONDS", 0.02)
    made = OwnServer(tmp_path)
    yield made
    made.kill()


async def test_a_worker_outlives_a_redis_that_is_killed_and_comes_back(server: OwnServer) -> None:
    server.start()
    redis = Redis(connection_pool=store.connect(server.url))
    async with working(server.url) as (_, jobs):
        jobs.is_open.clear()
        await want(redis, *subjects(MAX_JOBS + 5))
        await jobs.until(lambda so_far: so_far.running == MAX_JOBS)
        server.kill()
        jobs.is_open.set()
        server.start()
        await jobs.until(lambda so_far: len(so_far.done) == MAX_JOBS + 5)
        await want(redis, "SE-99")
        await jobs.until(lambda so_far: "SE-99" in so_far.done)
    assert sorted(jobs.done) == sorted([*subjects(MAX_JOBS + 5), "SE-99"])
    await redis.aclose(close_connection_pool=True)


async def test_a_worker_waits_for_a_redis_that_is_not_there_yet(server: OwnServer) -> None:
    async with working(server.url) as (_, jobs):
        server.start()
        redis = Redis(connection_pool=store.connect(server.url))
        await want(redis, "SE-0")
        await jobs.until(lambda so_far: so_far.done == ["SE-0"])
    await redis.aclose(close_connection_pool=True)


async def test_a_worker_stops_without_a_redis(server: OwnServer) -> None:
    async with working(server.url) as (made, jobs):
        made.stop()
    assert jobs.started == []


async def test_no_outage_costs_a_place(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "AWAY_SECONDS", 0.0)
    outages = iter(range(MAX_JOBS + 5))

    async with working(redis_url) as (made, jobs):
        whole = made._queue.take

        async def at_first_broken(ids: Sequence[bytes]) -> list[tuple[str, str]]:
            if ids and next(outages, None) is not None:
                raise RedisAway("away")
            return await whole(ids)

        monkeypatch.setattr(made._queue, "take", at_first_broken)
        jobs.is_open.clear()
        await want(redis, *subjects(MAX_JOBS + 5))
        await jobs.until(lambda so_far: so_far.running == MAX_JOBS)
        jobs.is_open.set()
        await jobs.until(lambda so_far: len(so_far.done) == MAX_JOBS + 5)
    assert next(outages, None) is None


# The whole


async def test_a_worker_is_made_from_settings_and_finds_out_the_site(redis: Redis, redis_url: str) -> None:
    settings = Settings(config=config(), mattermost_url="https://chat.example", mattermost_token="t0ken")
    made = worker_from(settings, redis_url, team(), book(), utc_now)
    running = asyncio.create_task(made.main())
    await site_is_known(redis)
    await idle(redis)
    made.stop()
    await asyncio.wait_for(running, SECONDS)
    assert await redis.zcard(ARQ_QUEUE) == 0


async def test_the_doctor_comes_when_a_worker_starts(redis: Redis, redis_url: str) -> None:
    made = worker_from(Settings(config=config()), redis_url, team(), book(), utc_now)
    running = asyncio.create_task(made.main())
    await all_is_examined(redis)
    made.stop()
    await asyncio.wait_for(running, SECONDS)
    (troubled,) = [one for one in (await Ledger(redis).examined()).values() if one.wrong]
    assert "Jira is not configured" in [one.what for one in troubled.wrong]


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.005))
async def all_is_examined(redis: Redis) -> None:
    assert set(await Ledger(redis).examined()) == {EVERYTHING, REGISTRATION}


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.005))
async def site_is_known(redis: Redis) -> None:
    assert (await Ledger(redis).site())[0] is not None
