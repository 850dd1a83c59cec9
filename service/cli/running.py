"""Commands that serve until they are told to stop."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import uvloop

from service.cli._session import prepared, redis_url

if TYPE_CHECKING:
    from types import ModuleType


def up() -> None:
    """Runs the API and a worker, with an embedded Redis unless CRAFTY_REDIS_URL is set."""
    ready = prepared(serves=True)
    sys.exit(uvloop.run(_serve().run_up(ready.settings)))


def api() -> None:
    """Runs one API process; CRAFTY_REDIS_URL says where Redis is."""
    ready = prepared(serves=True)
    _serve().run_api(ready.settings, redis_url(ready.settings), ready.team, ready.book)


def worker() -> None:
    """Runs one worker process; CRAFTY_REDIS_URL says where Redis is."""
    ready = prepared(serves=True)
    uvloop.run(_serve().run_worker(ready.settings, redis_url(ready.settings), ready.team, ready.book))


def _serve() -> ModuleType:
    """The processes, imported when one is to run: their third of a second is not for every other command to wait."""
    from service import serve  # noqa: PLC0415

    return serve
