"""Runs the processes: the API, the worker, and both with an embedded Redis."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from service import telemetry
from service.app import create_app
from service.arrival import Arrival
from service.clock import utc_now
from service.embedded import embedded_redis
from service.engine import Rulebook
from service.errors import CraftyError
from service.facts import Team
from service.metrics import MetricsPort
from service.processes import Child, Program, end_when_stuck
from service.settings import Settings
from service.worker import worker_from

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


async def run_worker(settings: Settings, redis_url: str, team: Team, book: Rulebook) -> None:
    """Works until SIGTERM or SIGINT, and then finishes what runs."""
    telemetry.start(settings, "worker")
    worker = worker_from(settings, redis_url, team, book, utc_now)
    _on_signals(worker.stop)
    watching = asyncio.create_task(end_when_stuck())
    log.info("worker.started")
    await worker.main()
    watching.cancel()


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
    _on_signals(stopping.set)
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


def listen(host: str, port: int, variable: str = "CRAFTY_PORT") -> socket.socket:
    """A bound socket; CraftyError says what to do when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CraftyError(
            f"{host}:{port} can't be served on ({error.strerror}): stop what uses it, or set another {variable} (or "
            "CRAFTY_HOST)."
        ) from error
    return listener


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
