"""What a worker with nothing to do costs: commands to Redis, and time of a processor."""

import asyncio
import time
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis

from bench.throughput import Trivial
from service import store
from service.clock import utc_now
from service.jobs import Jobs
from service.queue import Queue, look_again
from service.worker import Worker


async def measure(socket: Path, seconds: float) -> dict[str, float]:
    """Commands a second, and the per cent of one core, of the last of a few quiet seconds."""
    pool = store.connect(f"unix://{socket}")
    redis = Redis(connection_pool=pool)
    queue = Queue(redis, utc_now)
    trivial = Trivial(queue, 1)
    worker = Worker(pool, queue, cast("Jobs", trivial), utc_now, ())
    await queue.want(look_again("idle", "SE-1", utc_now()))
    running = asyncio.create_task(worker.main())
    await trivial.ended.wait()
    await asyncio.sleep(1)
    commands, used = await _commands(redis), time.process_time()
    await asyncio.sleep(seconds)
    busy = time.process_time() - used
    asked = await _commands(redis) - commands - 1
    worker.stop()
    await running
    return {"idle: commands a second": asked / seconds, "idle: % of a core": 100 * busy / seconds}


async def _commands(redis: Any) -> int:
    return int((await redis.info("stats"))["total_commands_processed"])
