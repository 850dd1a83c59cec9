"""The arq worker: wakes up within milliseconds, outlives a Redis restart, finishes what runs when told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol, cast

import structlog
from arq import Worker as ArqWorker
from arq import func
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import RedisError

from service import store
from service.clients._http import Sleep
from service.clock import Clock, utc_now
from service.connections import connected
from service.current import Current
from service.doctor import examine_by_night, examine_registration
from service.effects import Effects
from service.engine import Rulebook
from service.errors import RedisAway
from service.facts import Team
from service.gate import SharedGate
from service.gather import Gatherer, find_out
from service.jobs import Jobs
from service.ledger import Ledger
from service.migrations import migrate
from service.pings import Pings
from service.queue import ARQ_QUEUE, Queue, examination, site, sweep
from service.roster import attention_from
from service.rounds import EVERYTHING, REGISTRATION, Rounds
from service.settings import Settings
from service.sweeps import Sweeper
from service.telemetry import queue_of

log = structlog.get_logger()

MAX_JOBS: Final = 10
JOB_SECONDS: Final = 115
TURN_SECONDS: Final = 2.0
STOP_SECONDS: Final = 30.0
AWAY_SECONDS: Final = 0.5


class Client(Protocol):
    """A pool of connections to another system."""

    async def aclose(self) -> None: ...


class Worker(ArqWorker):
    """An arq worker that blocks on our doorbell instead of polling, and releases what is due in our own records.

    arq ends when Redis goes away for a moment and cancels what runs on SIGTERM; this one waits, and finishes.
    """

    def __init__(self, pool: ConnectionPool, queue: Queue, jobs: Jobs, clock: Clock, clients: Sequence[Client]) -> None:
        self._cells = [cell.name for cell in jobs.team.cells]
        super().__init__(
            functions=[func(cast("Any", self._work), name="work")],
            redis_pool=ArqRedis(pool),
            queue_name=ARQ_QUEUE,
            max_jobs=MAX_JOBS,
            handle_signals=False,
            health_check_interval=10,
        )
        self._queue = queue
        self._jobs = jobs
        self._clock = clock
        self._clients = clients
        self._stopping = asyncio.Event()
        self.is_resting = False
        """Whether it waits for the doorbell: it takes nothing up then."""

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Takes as many as there is room for.

        What arq keeps of a job, its arguments, its tries and whether it is in progress, stands on our own records: a
        worker does six times as many jobs without it.
        """
        for key, token in await self._queue.take(job_ids[: self.max_jobs - self.job_counter]):
            self.tasks[f"{key}@{token}"] = asyncio.create_task(self._work(key, token))

    async def _work(self, key: str, token: str) -> None:
        """Whatever ends it here, the lease brings it back."""
        try:
            async with asyncio.timeout(JOB_SECONDS):
                await self._jobs.work(key, token)
        except Exception as fault:
            is_known = isinstance(fault, RedisAway | TimeoutError)
            log.warning("work.lost", work=key, reason=f"{fault}" or type(fault).__name__, exc_info=not is_known)

    @property
    def job_counter(self) -> int:
        """How many jobs run now."""
        return sum(not task.done() for task in self.tasks.values())

    @job_counter.setter
    def job_counter(self, _: int) -> None:
        pass

    def stop(self) -> None:
        """Takes up nothing new; `main` returns when what runs has ended, after STOP_SECONDS at the latest."""
        self._stopping.set()

    async def main(self) -> None:
        """Works until `stop` is called."""
        await self._until_redis_answers()
        while not self._stopping.is_set():
            try:
                await self._turn()
            except (RedisError, RedisAway, OSError) as error:
                told = f"{error}" if isinstance(error, RedisAway) else type(error).__name__
                log.warning("worker.redis_away", error=told)
                await asyncio.sleep(AWAY_SECONDS)
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=STOP_SECONDS)
        for client in self._clients:
            await client.aclose()
        await self.pool.aclose(close_connection_pool=True)

    async def _until_redis_answers(self) -> None:
        while not self._stopping.is_set():
            try:
                await migrate(self.pool)
                now = self._clock()
                rounds = (examination(part, now) for part in (EVERYTHING, REGISTRATION))
                await self._queue.want(site(now), *(sweep(cell, now) for cell in self._cells), *rounds)
            except RedisAway as away:
                log.warning("worker.redis_away", error=f"{away}")
                await asyncio.sleep(AWAY_SECONDS)
            else:
                return

    async def _turn(self) -> None:
        free = self.max_jobs - self.job_counter
        released, following = await self._queue.release(free) if free else (0, None)
        await self._poll_iteration()
        if self.job_counter == self.max_jobs:
            await asyncio.wait(self.tasks.values(), timeout=TURN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        elif released == 0:
            await self._rest(self._patience(following))

    async def _rest(self, seconds: float) -> None:
        """Until the doorbell rings, that long at most, or until it is time to stop."""
        bell, stop = asyncio.create_task(self._queue.ring(seconds)), asyncio.create_task(self._stopping.wait())
        self.is_resting = True
        _, waiting = await asyncio.wait({bell, stop}, return_when=asyncio.FIRST_COMPLETED)
        self.is_resting = False
        for one in waiting:
            await store.give_up(one)
        if bell not in waiting:
            bell.result()

    def _patience(self, following: datetime | None) -> float:
        """Seconds to wait for the doorbell: until the next record is due, and never so long that a lease is missed."""
        if following is None:
            return TURN_SECONDS
        return min(TURN_SECONDS, max(0.01, (following - self._clock()).total_seconds()))


def worker_from(
    settings: Settings, redis_url: str, team: Team, book: Rulebook, clock: Clock, sleep: Sleep = asyncio.sleep
) -> Worker:
    """A worker on the Redis at `redis_url`, with a client for each system that is configured.

    sleep: waits between a client's tries.
    """
    pool = store.connect(redis_url)
    redis = Redis(connection_pool=pool)
    queue, ledger = queue_of(settings, redis, clock), Ledger(redis)
    connections = connected(settings, SharedGate(redis, clock), sleep)
    jira, readers = connections.jira, connections.readers
    names = settings.config.jira.fields_.model_dump()
    current = Current(ledger, book)
    gatherer = Gatherer(jira, readers, team, ledger)
    effects = Effects(jira, connections.chat, connections.forum, ledger, connections.channels)
    # Other machines' clocks are held to the real time, whatever moment `clock` plays.
    examinations = {
        EVERYTHING: lambda: examine_by_night(settings, connections, redis, utc_now),
        REGISTRATION: lambda: examine_registration(settings, connections),
    }
    jobs = Jobs(
        queue=queue,
        ledger=ledger,
        gatherer=gatherer,
        effects=effects,
        pings=Pings(attention_from(settings.config.messages), team, ledger),
        sweeper=Sweeper(gatherer, readers, ledger, team, current),
        rounds=Rounds(examinations, effects, settings.config.messages.admin_channel, ledger, team, clock),
        find_out=lambda: find_out(jira, readers, names, is_cloud=settings.jira_kind == "cloud"),
        team=team,
        current=current,
        clock=clock,
    )
    return Worker(pool, queue, jobs, clock, [connections])
