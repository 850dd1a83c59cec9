"""A worker as a process."""

from __future__ import annotations

import asyncio

import structlog

from service import telemetry
from service.clock import utc_now
from service.engine import Rulebook
from service.facts import Team
from service.processes import end_when_stuck
from service.serve._ground import on_signals
from service.settings import Settings
from service.worker import worker_from

log = structlog.get_logger()


async def run_worker(settings: Settings, redis_url: str, team: Team, book: Rulebook) -> None:
    """Works until SIGTERM or SIGINT, and then finishes what runs."""
    telemetry.start(settings, "worker")
    worker = worker_from(settings, redis_url, team, book, utc_now)
    on_signals(worker.stop)
    watching = asyncio.create_task(end_when_stuck())
    log.info("worker.started")
    await worker.main()
    watching.cancel()
