"""The API and a worker, as children of one process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.embedded import embedded_redis
from service.processes import Child, Program
from service.serve._ground import listen, on_signals
from service.settings import Settings


async def run_up(settings: Settings) -> int:
    """The API and a worker as child processes, beside an embedded Redis unless CRAFTY_REDIS_URL names one.

    Ends on SIGTERM or SIGINT, in order: first those two, then Redis. The exit code is that of a child that could not
    start, else 0.
    """
    listen(settings.host, settings.port).close()
    async with _redis(settings) as url:
        environ = {**os.environ, "CRAFTY_REDIS_URL": url}
        program = [sys.executable, "-m", "service.cli"]
        children = [Child(Program(name, [*program, name], environ)) for name in ("api", "worker")]
        return await _together(children)


async def _together(children: list[Child]) -> int:
    stopping = asyncio.Event()
    on_signals(stopping.set)
    running = [asyncio.create_task(child.run()) for child in children]
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait([asked, *running], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    await asyncio.gather(*(child.stop() for child in children))
    codes = await asyncio.gather(*running)
    return 0 if stopping.is_set() else max(map(abs, codes))


@asynccontextmanager
async def _redis(settings: Settings) -> AsyncIterator[str]:
    given = settings.redis_url.get_secret_value()
    if given:
        yield given
        return
    async with embedded_redis(settings.data_dir) as url:
        yield url
