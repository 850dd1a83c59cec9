"""The API as a process."""

from __future__ import annotations

import gc
import signal
import sys
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from service import telemetry
from service.app import create_app
from service.arrival import Arrival
from service.clock import utc_now
from service.engine import Rulebook
from service.facts import Team
from service.metrics import MetricsPort
from service.serve._ground import listen
from service.settings import Settings

log = structlog.get_logger()

GRACE_SECONDS: Final = 10
BACKLOG: Final = 2048


def run_api(settings: Settings, redis_url: str, team: Team, book: Rulebook) -> None:
    """Serves until SIGTERM; raises CraftyError when the address can't be bound."""
    listeners = [listen(settings.host, settings.port)]
    telemetry.start(settings, "api")
    app = create_app(settings, redis_url, team, book, utc_now)
    if settings.metrics_port is not None:
        listeners.append(listen(settings.host, settings.metrics_port, "CRAFTY_METRICS_PORT"))
    config = uvicorn.Config(
        _with_ports(app, settings),
        http=Arrival,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises what it caught once more when it has ended
        signal.signal(number, lambda *_: sys.exit(0))
    log.info("api.started", host=settings.host, port=settings.port)
    gc.collect()
    gc.freeze()  # what was imported stays: a full collection, which holds up every answer, takes 0.1 ms instead of 25
    uvicorn.Server(config).run(sockets=listeners)


def _with_ports(app: FastAPI, settings: Settings) -> ASGIApp:
    port = settings.metrics_port
    return app if port is None else MetricsPort(app, app.state.metrics, port)
