"""The command that runs one worker process."""

from __future__ import annotations

import uvloop

from service.cli._session import prepared, redis_url
from service.serve.worker import run_worker


def worker() -> None:
    """Runs one worker process; CRAFTY_REDIS_URL says where Redis is."""
    ready = prepared(serves=True)
    uvloop.run(run_worker(ready.settings, redis_url(ready.settings), ready.team, ready.book))
