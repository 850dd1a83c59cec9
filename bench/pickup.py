"""How long an idle worker takes to start what was just asked for: Crafty's, and arq's with its defaults beside it."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any, cast

from arq import Worker as ArqWorker
from arq import create_pool, func
from arq.connections import RedisSettings
from redis.asyncio import Redis

from service import store
from service.clock import utc_now
from service.facts import Team
from service.jobs import Jobs
from service.queue import Queue, look_again
from service.worker import Worker


class _Stopwatch:
    """Stands in for the jobs and notes when each was started."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.at = 0.0
        self.team = Team(())

    async def work(self, *_: Any, **__: Any) -> None:
        self.at = time.perf_counter()
        self.started.set()


async def crafty(socket: Path, samples: int) -> list[float]:
    """Milliseconds from asking to starting."""
    pool = store.connect(f"unix://{socket}")
    queue, stopwatch = Queue(Redis(connection_pool=pool), utc_now), _Stopwatch()
    worker = Worker(pool, queue, cast("Jobs", stopwatch), utc_now, ())
    running = asyncio.create_task(worker.main())
    await stopwatch.started.wait()
    while (await queue.outlook())[0]:  # noqa: ASYNC110 - what every worker begins with; nobody tells when it is done
        await asyncio.sleep(0.01)

    async def ask(number: int) -> None:
        await queue.want(look_again("bench", f"SE-{number}", utc_now()))

    taken = [await _timed(stopwatch, ask(number)) for number in range(samples)]
    worker.stop()
    await running
    return taken


async def arq_defaults(socket: Path, samples: int) -> list[float]:
    """The same with a worker as arq makes it."""
    stopwatch, settings = _Stopwatch(), RedisSettings(unix_socket_path=str(socket), database=1)
    pool = await create_pool(settings)
    worker = ArqWorker([func(stopwatch.work, name="work")], redis_settings=settings, handle_signals=False)
    worker.queue_name = pool.default_queue_name
    running = asyncio.create_task(worker.async_run())

    async def ask(_: int) -> None:
        await pool.enqueue_job("work")

    taken = [await _timed(stopwatch, ask(number)) for number in range(samples)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await pool.aclose()
    return taken


async def _timed(stopwatch: _Stopwatch, asked: Any) -> float:
    stopwatch.started.clear()
    await asyncio.sleep(random.uniform(0.02, 0.2))  # at no fixed beat, so that a polling worker is met at any moment
    start = time.perf_counter()
    await asked
    await stopwatch.started.wait()
    return (stopwatch.at - start) * 1000
