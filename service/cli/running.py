"""Commands that serve until they are told to stop."""

from __future__ import annotations

import sys

import uvloop

from service.cli._session import prepared, redis_url
from service.serve import run_api, run_up, run_worker


def up() -> None:
    """Runs the API and a worker, with an embedded Redis unless CRAFTY_REDIS_URL is set."""
    ready = prepared(serves=True)
    sys.exit(uvloop.run(run_up(ready.settings)))


def api() -> None:
    """Runs one API process; CRAFTY_REDIS_URL says where Redis is."""
    ready = prepared(serves=True)
    run_api(ready.settings, redis_url(ready.settings), ready.team, ready.book)


def worker() -> None:
    """Runs one worker process; CRAFTY_REDIS_URL says where Redis is."""
    ready = prepared(serves=True)
    uvloop.run(run_worker(ready.settings, redis_url(ready.settings), ready.team, ready.book))
