"""How many trivial jobs a worker ends in a second: Crafty's, arq's with its defaults, and SAQ's beside them."""

import asyncio
import time
from pathlib import Path
from typing import Any, cast

from arq import Worker as ArqWorker
from arq import create_pool, func
from arq.connections import RedisSettings
from redis.asyncio import Redis
from saq import Worker as SaqWorker
from saq.queue.redis import RedisQueue

from service import store
from service.clock import utc_now
from service.facts import Team
from service.jobs import Jobs
from service.queue import Queue, Result, look_again
from service.worker import Worker


class Countdown:
    """A job of arq's and SAQ's that does nothing; `ended` is set with the last of so many."""

    def __init__(self, jobs: int) -> None:
        self.ended = asyncio.Event()
        self._left = jobs

    async def work(self, _: Any) -> None:
        """The job."""
        self._left -= 1
        if not self._left:
            self.ended.set()


class Trivial:
    """Stands in for the jobs: takes each piece of work up and ends it, as theirs do, with nothing in between."""

    def __init__(self, queue: Queue, jobs: int) -> None:
        self.team = Team(())
        self.ended = asyncio.Event()
        self._queue = queue
        self._left = jobs

    async def work(self, key: str, token: str) -> None:
        work = await self._queue.claim(key, token)
        if work is None:
            return
        await self._queue.finish(work, Result(ending="done"))
        self._left -= work.kind == "look"
        if not self._left:
            self.ended.set()


async def measure(socket: Path, jobs: int) -> dict[str, float]:
    """Jobs a second of each, one after the other, and their ratios."""
    own = await crafty(socket, jobs)
    arq, other = await arq_defaults(socket, jobs // 2), await saq_defaults(socket, jobs)
    return {
        "worker: jobs a second": own,
        "worker / arq's defaults": own / arq,
        "worker / SAQ": own / other,
    }


async def crafty(socket: Path, jobs: int) -> float:
    """Jobs a second."""
    pool = store.connect(f"unix://{socket}")
    queue = Queue(Redis(connection_pool=pool), utc_now)
    trivial = Trivial(queue, jobs)
    await queue.want(*(look_again("throughput", f"SE-{number}", utc_now()) for number in range(jobs)))
    worker = Worker(pool, queue, cast("Jobs", trivial), utc_now, ())
    started = time.perf_counter()
    running = asyncio.create_task(worker.main())
    await trivial.ended.wait()
    seconds = time.perf_counter() - started
    worker.stop()
    await running
    return jobs / seconds


async def arq_defaults(socket: Path, jobs: int) -> float:
    """The same with a worker as arq makes it."""
    countdown = Countdown(jobs)
    settings = RedisSettings(unix_socket_path=str(socket), database=1)
    pool = await create_pool(settings)
    for _ in range(jobs):
        await pool.enqueue_job("work")
    worker = ArqWorker([func(cast("Any", countdown.work), name="work")], redis_settings=settings, handle_signals=False)
    started = time.perf_counter()
    running = asyncio.create_task(worker.async_run())
    await countdown.ended.wait()
    seconds = time.perf_counter() - started
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await pool.aclose()
    return jobs / seconds


async def saq_defaults(socket: Path, jobs: int) -> float:
    """The same with SAQ."""
    countdown = Countdown(jobs)
    queue = RedisQueue(Redis(unix_socket_path=str(socket), db=2))
    for _ in range(jobs):
        await queue.enqueue("work")
    worker = SaqWorker(queue, functions=[("work", countdown.work)])
    started = time.perf_counter()
    running = asyncio.create_task(worker.start())
    await countdown.ended.wait()
    seconds = time.perf_counter() - started
    await worker.stop()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await queue.disconnect()
    return jobs / seconds
