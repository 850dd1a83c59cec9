"""The command that runs one API process."""

from __future__ import annotations

from service.cli._session import prepared, redis_url
from service.serve.api import run_api


def api() -> None:
    """Runs one API process; CRAFTY_REDIS_URL says where Redis is."""
    ready = prepared(serves=True)
    run_api(ready.settings, redis_url(ready.settings), ready.team, ready.book)
